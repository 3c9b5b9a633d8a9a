import type { FinishedTool, HookReport, PostToolsHook } from "../session-types.ts";
import { ChangeTracker } from "./change-tracker.ts";
import { askForMessage, messageFromPaths } from "./commit-message.ts";
import type { AutoCommitOptions } from "./create-auto-commit.ts";
import { gitEnvironment } from "./git-environment.ts";
import { runGit } from "./git-process.ts";
import { PrivateCommit } from "./private-commit.ts";
import { obstacleTo, type Repository } from "./repository.ts";
import { displayPath, type GitPath, sizeOf, type WorkTreeSnapshot } from "./work-tree.ts";

const MESSAGE_DEADLINE_MS = 10_000;
/** How long a commit with its hooks may still take once somebody waits to leave. */
const HURRY_MS = 4_000;
/** More than this in one step is not work on source code: dependencies, say, that nobody has told git to ignore. */
const MAX_FILES = 1_000;
const MAX_BYTES = 32 * 1024 * 1024;

type Report = (report: HookReport) => void;

/** See `createAutoCommit`. */
export class AutoCommit implements PostToolsHook {
  readonly #options: AutoCommitOptions;
  readonly #tracker: ChangeTracker;
  #job: Promise<void> = Promise.resolve();
  #hurry = new AbortController();
  #stop = new AbortController();
  #hasIdentity = false;
  readonly #said = new Set<string>();

  constructor(options: AutoCommitOptions) {
    const { workspace, environment } = options;
    this.#options = options;
    this.#tracker = new ChangeTracker({ directory: workspace, environment: gitEnvironment(environment) });
  }

  async beforeTools(): Promise<void> {
    await this.#job;
    await this.#tracker.begin();
  }

  async afterTools(tools: readonly FinishedTool[], report: Report): Promise<boolean> {
    if (!this.#tracker.isLooking) return false;
    this.#hurry = new AbortController();
    this.#stop = new AbortController();
    this.#job = this.#work(tools, report).catch((error) => {
      this.#tellUncommitted(report, error instanceof Error ? error.message : String(error));
    });
    return true;
  }

  async afterFailedTools(tools: readonly FinishedTool[]): Promise<void> {
    await this.#tracker.end(tools).catch(() => undefined);
  }

  async settled({ hurry } = { hurry: false }): Promise<void> {
    if (!hurry) return this.#job;
    this.#hurry.abort();
    const timer = setTimeout(() => this.#stop.abort(), HURRY_MS);
    await this.#job;
    clearTimeout(timer);
  }

  async #work(tools: readonly FinishedTool[], report: Report): Promise<void> {
    const changes = await this.#tracker.end(tools);
    if (changes === undefined) return;
    if (typeof changes === "string") {
      this.#tellUncommitted(report, changes);
      return;
    }
    const { repository, agents, mixed, edits, after } = changes;
    const shared = mixed.filter((path) => edits.has(path));
    if (agents.length === 0 && shared.length === 0) {
      this.#tellLeftOut(report, mixed);
      return;
    }
    const obstacle = await this.#obstacle(repository, after, [...agents, ...shared]);
    const staged = obstacle ?? (await PrivateCommit.stage(repository, after.head, { whole: agents, mixed, edits }));
    this.#tellLeftOut(report, typeof staged === "string" ? mixed : staged.leftOut);
    if (typeof staged === "string") {
      this.#tellUncommitted(report, staged);
      return;
    }
    try {
      await this.#commit(staged, report);
    } finally {
      staged.dispose();
    }
  }

  /** Why these changes cannot be committed now, as the rest of a sentence. */
  async #obstacle(
    repository: Repository,
    after: WorkTreeSnapshot,
    paths: readonly GitPath[],
  ): Promise<string | undefined> {
    const bytes = paths.reduce((sum, path) => sum + sizeOf(repository.root, path), 0);
    if (paths.length > MAX_FILES || bytes > MAX_BYTES) {
      // From now on they are like changes of the person's: to be looked at by the person.
      this.#tracker.settle();
      return `one step changed ${paths.length} files (${Math.ceil(bytes / 1024 / 1024)} MiB); look at them, and at what git should ignore`;
    }
    const obstacle = obstacleTo(repository, after);
    if (obstacle !== undefined || this.#hasIdentity) return obstacle;
    const identity = await runGit(repository.atRoot, ["-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"]);
    this.#hasIdentity = identity.ok;
    return identity.ok ? undefined : "git does not know who you are (set user.name and user.email)";
  }

  async #commit(staged: PrivateCommit, report: Report): Promise<void> {
    const [files, diff] = await Promise.all([staged.files(), staged.diff()]);
    if (files.length === 0) return;
    const { commitDeadlineMs } = this.#options;
    const message = (await this.#askForMessage(diff, report)) ?? messageFromPaths(files);
    const result = await staged.commit(message, {
      signal: this.#stop.signal,
      ...(commitDeadlineMs === undefined ? {} : { deadlineMs: commitDeadlineMs }),
    });
    if (result.type === "refused") {
      this.#tellUncommitted(report, result.reason);
      return;
    }
    this.#tracker.settle();
    if (result.type === "nothing") return;
    report({ type: "commit", sha: result.sha, message, paths: result.paths });
    if (!result.indexIsStale) return;
    const advice = "run git reset, or the next commit undoes it";
    this.#notice(
      report,
      `Another git process held the index, which does not know of commit ${result.sha.slice(0, 12)}: ${advice}.`,
    );
  }

  async #askForMessage(diff: string, report: Report): Promise<string | undefined> {
    const { model, modelName = "fast", messageDeadlineMs = MESSAGE_DEADLINE_MS } = this.#options;
    if (model === undefined || this.#hurry.signal.aborted) return undefined;
    const signal = AbortSignal.any([this.#hurry.signal, AbortSignal.timeout(messageDeadlineMs)]);
    const stopped = new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const asked = askForMessage({
      model,
      modelName,
      diff,
      signal,
      onUsage: ({ usage, model: name, costMicroUsd }) => {
        report({ type: "usage", usage, model: name, ...(costMicroUsd === undefined ? {} : { costMicroUsd }) });
      },
    });
    return Promise.race([asked, stopped]);
  }

  // --- notices -------------------------------------------------------------------------------------------------------

  #tellLeftOut(report: Report, paths: readonly GitPath[]): void {
    const news = paths.filter((path) => !this.#said.has(`left out ${path}`));
    for (const path of news) this.#said.add(`left out ${path}`);
    if (news.length === 0) return;
    const names = news.slice(0, 3).map(displayPath).join(", ");
    const more = news.length > 3 ? ` and ${news.length - 3} more` : "";
    report({ type: "notice", text: `Not committed, because changes of yours were already in it: ${names}${more}.` });
  }

  #tellUncommitted(report: Report, reason: string): void {
    this.#notice(report, `The agent's changes are not committed: ${reason}.`);
  }

  /** Each thing once in a session: what stands in the way usually stays there. */
  #notice(report: Report, text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    report({ type: "notice", text });
  }
}
