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

export function isPattern(text: string): boolean {
  return text.includes("*");
}
