import { TOKEN_SCOPES, type TokenScope } from "@loom/api";
import type { Users } from "../../identity-types.ts";
import type { Action, Resource, ResourceType } from "../../kit/policy.ts";
import { ANONYMOUS, OWNER, type Subject } from "../../kit/subject.ts";
import { RESOURCE_ENTITIES } from "./entities.ts";
import type { PolicyBook } from "./policy-book.ts";

/** What somebody wants explained, in words. */
export type ExplainWish = {
  /** A user's id or username, or `owner`, or `anonymous`. */
  readonly subject: string;
  readonly action: string;
  /** A type of resource. */
  readonly resource: string;
  readonly id?: string | undefined;
  readonly owner?: string | undefined;
  readonly organization?: string | undefined;
  readonly team?: string | undefined;
  readonly visibility?: Resource["visibility"] | undefined;
  readonly sharedWithSupport?: boolean | undefined;
  /** As by an API key of the user that has these. */
  readonly scopes?: readonly string[] | undefined;
  /** Whether the session began, or the key was made, with the user's second factor. Default: the session, where he has one. */
  readonly secondFactor?: boolean | undefined;
};

export type Question = { readonly subject: Subject; readonly action: Action; readonly resource: Resource };

/** The word that is wrong, and a sentence. */
export class WrongQuestion extends Error {
  override readonly name = "WrongQuestion";
  readonly field: keyof ExplainWish;

  constructor(field: keyof ExplainWish, message: string) {
    super(message);
    this.field = field;
  }
}

type People = Pick<Users, "byId" | "byUsername" | "standing">;

/** Looks up how somebody stands now. @throws WrongQuestion */
export async function questionOf(wish: ExplainWish, book: PolicyBook, users: People): Promise<Question> {
  const { owner, organization, team, visibility, sharedWithSupport, id } = wish;
  const type = typeOf(wish.resource);
  const action = actionOf(wish.action, type, book);
  const resource: Resource = {
    type,
    ...(id === undefined ? {} : { id }),
    ...(owner === undefined ? {} : { owner }),
    ...(organization === undefined ? {} : { organization }),
    ...(team === undefined ? {} : { team }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(sharedWithSupport === undefined ? {} : { sharedWithSupport }),
  };
  return { subject: await subjectOf(wish, users), action, resource };
}

function typeOf(text: string): ResourceType {
  if (Object.hasOwn(RESOURCE_ENTITIES, text)) return text as ResourceType;
  const types = Object.keys(RESOURCE_ENTITIES).join(", ");
  throw new WrongQuestion("resource", `There is no resource ${shown(text)}: it is one of ${types}.`);
}

function actionOf(text: string, type: ResourceType, { questions }: PolicyBook): Action {
  const actions = questions.map((each) => each.split(" ")).filter(([, entity]) => entity === RESOURCE_ENTITIES[type]);
  const known = actions.map(([action]) => action);
  if (known.includes(text)) return text as Action;
  throw new WrongQuestion("action", `Nobody can ${shown(text)} a ${type}: the actions are ${known.join(", ")}.`);
}

async function subjectOf({ subject, scopes, secondFactor }: ExplainWish, users: People): Promise<Subject> {
  if (subject === "owner") return OWNER;
  if (subject === "anonymous") return ANONYMOUS;
  const user = (await users.byId(subject)) ?? (await users.byUsername(subject));
  if (user === undefined) {
    throw new WrongQuestion(
      "subject",
      `There is no user ${shown(subject)}: give an id or a username, or owner, or anonymous.`,
    );
  }
  const standing = await users.standing(user.id);
  if (standing === undefined) {
    throw new WrongQuestion(
      "subject",
      `The account of ${user.username} is disabled or deleted: it may do nothing at all.`,
    );
  }
  const { username, hasSecondFactor, personalOrganization: _, ...roles } = standing;
  const session = { type: "session", id: "", kind: "web" } as const;
  const means =
    scopes === undefined ? { via: session } : { via: { type: "key", id: "" } as const, scopes: scopes.map(scopeOf) };
  // A key does not have it for its person's having it: see `StoredKey.strong`.
  const given = secondFactor ?? (scopes === undefined && hasSecondFactor === true);
  if (given && hasSecondFactor !== true) {
    throw new WrongQuestion("secondFactor", `${username} has no second factor that could have been given.`);
  }
  const factor = given ? ({ secondFactor: true } as const) : {};
  return { ...roles, type: "user", id: user.id, name: username, nodes: [], ...means, ...factor };
}

function scopeOf(text: string): TokenScope {
  const scope = TOKEN_SCOPES.find((each) => each === text.trim());
  if (scope !== undefined) return scope;
  throw new WrongQuestion("scopes", `There is no scope ${shown(text)}: use ${TOKEN_SCOPES.join(", ")}.`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
