/** Longest piece of a file that a model reads at once. */
export const MAX_READ_BYTES = 1_048_576;

/** Largest file that is hashed and can be edited. */
export const MAX_EDIT_BYTES = 10_485_760;

export type ReadOptions = {
  /** First line to read, from 1. */
  readonly startLine: number;
  /** Most bytes to hand out. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
};

export type FileSlice = {
  /** Relative to the workspace, symlinks resolved, `/` between the parts. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Whether `bytes` ends before the file does. */
  readonly truncated: boolean;
  /** Size of the whole file in bytes. */
  readonly size: number;
  /** Lines of the whole file, as far as it was read; a last line without a line break counts. */
  readonly lineCount: number;
  /** Hash of the whole content; absent above MAX_EDIT_BYTES. */
  readonly version?: string;
};

export type WriteOptions = {
  /** The file must still have this version; `null`: it must not exist. */
  readonly expected: string | null;
  readonly signal: AbortSignal;
};

export type WrittenFile = { readonly path: string; readonly version: string };

export type ListedEntry = { readonly path: string; readonly kind: "file" | "directory" | "symlink" | "other" };

export type Listing = {
  readonly path: string;
  /** Sorted by path (code units). Where the listing is cut, the shallow entries are the ones that are kept. */
  readonly entries: readonly ListedEntry[];
  readonly truncated: boolean;
};

export type SearchQuery = {
  /** Regular expression, in the syntax of Rust's `regex` crate. */
  readonly pattern: string;
  /** File or directory. */
  readonly path: string;
  /** As in .gitignore. A file that it names is searched even if ignore rules name it too, as ripgrep does. */
  readonly glob: string | undefined;
  readonly caseSensitive: boolean;
  readonly maxResults: number;
  readonly signal: AbortSignal;
};

export type SearchMatch = { readonly path: string; readonly line: number; readonly text: string };

export type SearchResult = {
  /** Sorted by path, then line. */
  readonly matches: readonly SearchMatch[];
  /** Whether there are more: beyond `maxResults`, or in lines of more than a megabyte. */
  readonly truncated: boolean;
  /** `javascript` where ripgrep is missing: slower, and the syntax is that of JavaScript. */
  readonly engine: "ripgrep" | "javascript";
};

/**
 * What tools may do with files. Paths are relative to the workspace, or absolute and inside it. Whatever leads outside,
 * also through a symlink, is refused with `path_outside_workspace`. What git keeps in `.git` can be read and not
 * written. All failures are `ToolFailure`.
 */
export interface FileOperations {
  /** Absolute path of the workspace, symlinks resolved. */
  readonly root: string;
  /** Regular files only: never waits for a FIFO or a device. */
  read(path: string, options: ReadOptions): Promise<FileSlice>;
  /** Replaces or creates a file as one step and makes missing parents. Keeps the mode of a file that exists. */
  write(path: string, content: Uint8Array, options: WriteOptions): Promise<WrittenFile>;
  /** Everything below `path` that the ignore rules leave; `.git` and `node_modules` never. */
  list(path: string, options: { readonly maxResults: number; readonly signal: AbortSignal }): Promise<Listing>;
  search(query: SearchQuery): Promise<SearchResult>;
}
