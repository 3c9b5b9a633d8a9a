/** What a setting may hold. Seconds may have a fraction; a path is absolute after loading; "" means not set. */
export type SettingKind =
  | { readonly type: "string" }
  | { readonly type: "choice"; readonly values: readonly string[] }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  | { readonly type: "seconds"; readonly min: number; readonly max: number }
  | { readonly type: "boolean" }
  | { readonly type: "strings" }
  | { readonly type: "url" }
  | { readonly type: "path" };

export type SettingValue = string | number | boolean | readonly string[];

/**
 * What a workspace's own file may do with a setting. Whoever writes the repository writes that file, so it may choose,
 * but never point Loom elsewhere, have a file written, or take back a limit that the person has set.
 * `narrows`: only lower a number, switch off, or leave out list entries, against what the layers below say.
 */
export type WorkspaceRule = "allowed" | "narrows" | "refused";

export type Setting = {
  /** Dotted, as in the file: `[timeouts]` and `tool_seconds` make `timeouts.tool_seconds`. */
  readonly key: string;
  readonly kind: SettingKind;
  readonly default: SettingValue;
  readonly workspace: WorkspaceRule;
  /** Variables that set it besides the one that follows from the key. */
  readonly variables?: readonly NamedVariable[];
  readonly description: string;
};

/** `inverted`: "true" in the variable means `false` in the setting. */
export type NamedVariable = { readonly name: string; readonly inverted?: boolean };

/** Log levels, loudest last. */
const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;

const DAY_SECONDS = 86_400;

/** A timer of Node holds no more than 24 days. */
const MAX_RUN_SECONDS = 20 * DAY_SECONDS;

/** Every setting of the client. The loader, `loom config show` and the documentation all read this one table. */
export const SETTINGS = [
  {
    key: "model",
    kind: { type: "string" },
    default: "default",
    workspace: "allowed",
    description: "Model id as the provider names it, or `default` or `fast`, which the server resolves.",
  },
  {
    key: "provider",
    kind: { type: "choice", values: ["", "anthropic", "openai"] },
    default: "",
    workspace: "allowed",
    variables: [{ name: "LOOM_LLM_PROVIDER" }],
    description: "Provider to ask; empty leaves the choice to the server.",
  },
  {
    key: "max_tokens",
    kind: { type: "integer", min: 1, max: 1_000_000 },
    default: 16_384,
    workspace: "narrows",
    description: "Upper bound of one answer, in tokens, thinking included.",
  },
  {
    key: "server.url",
    kind: { type: "url" },
    default: "",
    workspace: "refused",
    variables: [{ name: "LOOM_SERVER_URL" }],
    description: "Address of a Loom server; empty starts one inside this process.",
  },
  {
    key: "server.token_file",
    kind: { type: "path" },
    default: "",
    workspace: "refused",
    variables: [{ name: "LOOM_SERVER_TOKEN_FILE" }],
    description:
      "File that holds the server's token and nothing else, mode 0600; empty looks in `credentials.json` beside the user's configuration.",
  },
  {
    key: "auto_commit.enabled",
    kind: { type: "boolean" },
    default: true,
    workspace: "narrows",
    variables: [{ name: "LOOM_AUTO_COMMIT_DISABLE", inverted: true }],
    description: "Commit what the agent's tools changed after they ran.",
  },
  {
    key: "auto_commit.model",
    kind: { type: "string" },
    default: "fast",
    workspace: "allowed",
    description: "Model that writes commit messages.",
  },
  {
    key: "limits.max_turns",
    kind: { type: "integer", min: 1, max: 100_000 },
    default: 200,
    workspace: "narrows",
    description: "Model requests for one input, retries not counted; then the turn ends.",
  },
  {
    key: "limits.run_timeout_seconds",
    kind: { type: "seconds", min: 0.1, max: MAX_RUN_SECONDS },
    default: 3_600,
    workspace: "narrows",
    description: "Longest a headless run may take from its start; then it is interrupted and saved.",
  },
  {
    key: "timeouts.connect_seconds",
    kind: { type: "seconds", min: 0.1, max: DAY_SECONDS },
    default: 10,
    workspace: "allowed",
    description: "Longest wait for a connection to the server.",
  },
  {
    key: "timeouts.headers_seconds",
    kind: { type: "seconds", min: 0.1, max: DAY_SECONDS },
    default: 180,
    workspace: "allowed",
    description: "Longest wait from the request to the answer's headers.",
  },
  {
    key: "timeouts.first_event_seconds",
    kind: { type: "seconds", min: 0.1, max: DAY_SECONDS },
    default: 180,
    workspace: "allowed",
    description: "Longest wait from the headers to the answer's first event.",
  },
  {
    key: "timeouts.gap_seconds",
    kind: { type: "seconds", min: 0.1, max: DAY_SECONDS },
    default: 180,
    workspace: "allowed",
    description: "Longest silence between two events of an answer.",
  },
  {
    key: "timeouts.tool_seconds",
    kind: { type: "seconds", min: 0.1, max: DAY_SECONDS },
    default: 330,
    workspace: "allowed",
    description: "Longest one tool call may run, whatever the tool's own limit is.",
  },
  {
    key: "tools.allowed",
    kind: { type: "strings" },
    default: ["*"],
    workspace: "narrows",
    description: "Tools the model may use; `*` stands for all of them.",
  },
  {
    key: "log.level",
    kind: { type: "choice", values: LOG_LEVELS },
    default: "warn",
    workspace: "allowed",
    variables: [{ name: "LOOM_LOG" }],
    description: "How much the log file holds.",
  },
  {
    key: "log.file",
    kind: { type: "path" },
    default: "",
    workspace: "refused",
    description: "File that the embedded server logs to, by appending; empty logs nowhere.",
  },
] as const satisfies readonly Setting[];

export type SettingKey = (typeof SETTINGS)[number]["key"];

/** The type of a setting's value. */
type ValueOf<Kind extends SettingKind> = Kind extends { readonly type: "integer" | "seconds" }
  ? number
  : Kind extends { readonly type: "boolean" }
    ? boolean
    : Kind extends { readonly type: "strings" }
      ? readonly string[]
      : Kind extends { readonly type: "choice"; readonly values: readonly (infer Choice)[] }
        ? Choice
        : string;

/** All settings with their values, by dotted key. */
export type SettingValues = {
  readonly [S in (typeof SETTINGS)[number] as S["key"]]: ValueOf<S["kind"]>;
};

/** `timeouts.tool_seconds` -> `LOOM_TIMEOUTS__TOOL_SECONDS`. */
export function variableOf(key: string): string {
  return `LOOM_${key.replaceAll(".", "__").toUpperCase()}`;
}

/** All variables that set `setting`, the one that follows from its key first. */
export function variablesOf(setting: Setting): readonly NamedVariable[] {
  return [{ name: variableOf(setting.key) }, ...(setting.variables ?? [])];
}
