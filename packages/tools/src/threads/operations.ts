/** Where something was found in a conversation. */
export type ThreadMatch = {
  readonly threadId: string;
  readonly title: string;
  /** Which input of the person it followed, from 1; 0 for what is known of the thread as a whole. */
  readonly turn: number;
  /** Who said it. */
  readonly role: string;
  /** RFC 3339. */
  readonly at: string;
  /** What was said around it, on one line. */
  readonly text: string;
};

/** A way to the person's earlier conversations: an index on this machine, or a server's. */
export type ThreadSearch = {
  search(options: {
    readonly query: string;
    readonly maxResults: number;
    /** Not only conversations of this workspace. */
    readonly allWorkspaces: boolean;
    /** Also conversations of others that the person may see. */
    readonly everyone: boolean;
    readonly signal: AbortSignal;
  }): Promise<readonly ThreadMatch[]>;
};
