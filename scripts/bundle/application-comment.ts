// How a bundle carries its application: as one block comment behind the stub.

export const APPLICATION_START = "\n/* application\n";
export const APPLICATION_END = "\n*/\n";

/** Stands inside every end of a comment that the program holds. */
const GAP = "\u0001";

/** @throws Error where the program cannot be carried: it is read back as Latin-1. */
export function quote(program: string): string {
  if (/[\u0080-\uffff]/.test(program)) throw new Error("The bundled program is not all ASCII.");
  if ([`*${GAP}/`, APPLICATION_START, APPLICATION_END].some((mark) => program.includes(mark))) {
    throw new Error("The bundled program holds a mark that is used to quote it.");
  }
  return program.replaceAll("*/", `*${GAP}/`);
}

export function unquote(quoted: string): string {
  return quoted.replaceAll(`*${GAP}/`, "*/");
}
