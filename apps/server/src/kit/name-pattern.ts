/** Whether `name` fits `pattern`, in which `*` stands for anything. Linear in practice, whatever a client names. */
export function fitsPattern(pattern: string, name: string): boolean {
  let [at, next, star, resumeAt] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[next] === "*") {
      star = next;
      resumeAt = at;
      next += 1;
    } else if (pattern[next] === name[at]) {
      at += 1;
      next += 1;
    } else if (star >= 0) {
      next = star + 1;
      resumeAt += 1;
      at = resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[next] === "*") next += 1;
  return next === pattern.length;
}

/** The same for names that mean one thing in upper and lower case. */
export function fitsInAnyCase(pattern: string, name: string): boolean {
  return fitsPattern(pattern.toLowerCase(), name.toLowerCase());
}

export function isPattern(text: string): boolean {
  return text.includes("*");
}
