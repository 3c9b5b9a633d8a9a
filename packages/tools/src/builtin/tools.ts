import type { Tool } from "../tool.ts";
import { bash } from "./bash.ts";
import { editFile } from "./edit-file.ts";
import { listFiles } from "./list-files.ts";
import { readFile } from "./read-file.ts";
import { search } from "./search.ts";
import { searchThreads } from "./search-threads.ts";

/** The tools that come with Loom. To add one: put it here and let the test of this file write `definitions.json`. */
export const TOOLS: readonly Tool[] = [readFile, listFiles, search, editFile, bash, searchThreads];
