export type { ApiKeyInfo, ApiKeyList, ApiKeyOwner, ApiKeyRotation, MintedApiKey, NewApiKey } from "./api-keys.ts";
export { DEFAULT_KEY_OVERLAP_SECONDS, MAX_KEY_OVERLAP_SECONDS } from "./api-keys.ts";
export type { AuditOutcome, AuditPage, AuditQuery, AuditRecord } from "./audit.ts";
export { AUDIT_FILTERS, AUDIT_OUTCOMES, auditCsvHeader, auditCsvLine } from "./audit.ts";
export type { Budget, BudgetLimits, BudgetSpent, Budgets } from "./budgets.ts";
export { api, loadProblemSchema } from "./contract.ts";
export type {
  BodyKind,
  BodyOf,
  Contract,
  PathParams,
  QueryOf,
  ReplyKind,
  ResponseOf,
  RouteSchemas,
} from "./contract-definition.ts";
export type {
  ApiKeySecret,
  CredentialChange,
  CredentialHealth,
  CredentialInfo,
  CredentialList,
  CredentialSecret,
  CredentialState,
  NewCredential,
  OAuthSecret,
  ProviderCredentials,
} from "./credentials.ts";
export { CREDENTIAL_LABEL, MAX_CREDENTIAL_WEIGHT } from "./credentials.ts";
export type { FactorInfo, FactorList } from "./factors.ts";
export type { IdentityInfo, SignInProvider } from "./identities.ts";
export { parseLlmRequest } from "./llm-request.ts";
export type { DomainClaim, DomainClaimList, MailDomainInfo, MailDomainList } from "./mail-domains.ts";
export type { Models, ProviderModels } from "./models.ts";
export type {
  Invitation,
  InvitationList,
  InvitationState,
  InvitationView,
  Joined,
  JoinPolicy,
  JoinRequest,
  JoinRequestList,
  Member,
  MintedInvitation,
  NewInvitation,
  NewOrganization,
  NewTeam,
  Organization,
  OrganizationChange,
  OrganizationList,
  OrganizationMember,
  OrganizationMembers,
  OrganizationRole,
  OrganizationVisibility,
  Team,
  TeamChange,
  TeamList,
  TeamMember,
  TeamMembers,
  TeamRole,
} from "./organizations.ts";
export type {
  NewOrganizationPolicy,
  OrganizationPolicy,
  OrganizationPolicyList,
  PolicyExplanation,
} from "./policies.ts";
export { MAX_POLICY_CHARACTERS, POLICY_NAME } from "./policies.ts";
export type { PriceOverride, PriceOverrideInput, TokenPrices } from "./prices.ts";
export type { FieldError, Problem, ProblemCode } from "./problem.ts";
export { PROBLEM_MEDIA_TYPE, problemOf } from "./problem.ts";
export type {
  BreakerState,
  ExplainedStep,
  RouteAudience,
  RouteDefinition,
  RouteDialect,
  RouteExplanation,
  RouteInfo,
  RouteList,
  RouteTarget,
  RouteTiers,
  RouteTimeouts,
} from "./routes.ts";
export { ROUTE_DIALECTS } from "./routes.ts";
export type { EndedSessions, SessionInfo, SessionList, WebSocketTicket } from "./sessions.ts";
export type {
  SupportAccess,
  ThreadChange,
  ThreadChanges,
  ThreadConflict,
  ThreadDigest,
  ThreadEnd,
  ThreadExportFormat,
  ThreadHit,
  ThreadHits,
  ThreadImportFormat,
  ThreadInfo,
  ThreadList,
  ThreadMessage,
  ThreadMessages,
  ThreadRecords,
  ThreadRepository,
  ThreadShare,
  ThreadTotals,
  ThreadVisibility,
  ThreadVisibilityChange,
} from "./threads.ts";
export {
  MAX_OUTPUT_BYTES,
  MAX_RECORD_BYTES,
  MAX_RECORDS,
  MAX_RECORDS_BODY_BYTES,
  MAX_THREAD_PAGE,
  THREAD_VISIBILITIES,
} from "./threads.ts";
export type { MintedToken, NewToken, TokenInfo, TokenList, TokenScope } from "./tokens.ts";
export { TOKEN_NAME, TOKEN_SCOPES } from "./tokens.ts";
export type { UsageDimension, UsageGroup, UsagePercentiles, UsageQuery, UsageReport, UsageSums } from "./usage.ts";
export { DEFAULT_USAGE_GROUPS, USAGE_DIMENSIONS } from "./usage.ts";
export { usageCsv } from "./usage-csv.ts";
export type {
  AccountDeletion,
  GlobalRole,
  ImpersonationState,
  NewImpersonation,
  Notice,
  NoticeList,
  ProfileChange,
  StartedImpersonation,
  UserInfo,
  UserList,
  UserProfile,
} from "./users.ts";
