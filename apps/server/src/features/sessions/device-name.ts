// Order matters: browsers name those that they descend from, too.
const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/\bloom\/[\d.]+/, "Loom"],
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bSafari\//, "Safari"],
  [/^curl\//, "curl"],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bmacOS\b|\bdarwin\b/i, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/i, "Linux"],
];

const MAX_NAME = 60;

/** What a person calls the thing that sends this `User-Agent`, e.g. `Firefox on Linux`. Says nothing that can be relied on. */
export function deviceName(userAgent: string | undefined): string {
  const text = userAgent ?? "";
  const program = PROGRAMS.find(([pattern]) => pattern.test(text))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(text))?.[1];
  if (program !== undefined) return system === undefined ? program : `${program} on ${system}`;
  // The first product (RFC 9110, 10.1.5), if it is one.
  const product = /^([\w.+-]+)(?:\/|$)/.exec(text)?.[1]?.slice(0, MAX_NAME);
  return product ?? "unknown device";
}
