const WORDS = 50_000;
const WORDS_PER_MESSAGE = 260;
const COMMON = 20;
/** Messages between two that have the same rare word. */
const RARE_EVERY = 100_000;
const SYLLABLES =
  "ba be bi bo bu da de di do du fa fe fi ga ge go ka ke ki ko la le li lo ma me mi mo na ne no pa pe po ra re ri ro sa se so ta te to va ve za zo".split(
    " ",
  );

/**
 * Messages of about 2 KB whose words are spread as in a language: few come everywhere, most come seldom. The same numbers give
 * the same text.
 */
export class Corpus {
  readonly #messages: number;
  readonly #words: string[];
  #seed = 7;

  constructor(messages: number) {
    this.#messages = messages;
    this.#words = Array.from({ length: WORDS }, (_, index) => wordOf(index));
  }

  thread(first: number, count: number): { readonly id: string; readonly records: string[] } {
    const id = `T-01900000-0000-7000-8000-${first.toString(16).padStart(12, "0")}`;
    const createdAt = timeOf(first);
    const records = [
      JSON.stringify({
        type: "thread",
        v: 2,
        id,
        createdAt,
        workspace: `/srv/project-${first % 40}`,
        loomVersion: "0.0.0",
      }),
    ];
    for (let n = first; n < first + count; n++) records.push(this.#record(n));
    return { id, records };
  }

  /** Words that the corpus holds: rare ones are in some ten messages of a million, common ones in most. */
  word(kind: "rare" | "common", n: number): string {
    if (kind === "common") return this.#words[n % COMMON] ?? "";
    const distance = Math.min(RARE_EVERY, Math.max(1, Math.floor(this.#messages / 10)));
    return rareWord((n * 37) % distance);
  }

  #record(n: number): string {
    const at = timeOf(n);
    const text = this.#text(n);
    if (n % 2 === 0)
      return JSON.stringify({ type: "event", at, event: { type: "user_input", input: [{ type: "text", text }] } });
    const response = {
      message: { role: "assistant", content: [{ type: "text", text }] },
      stopReason: "end_turn",
      usage: {
        inputTokens: 1,
        outputTokens: 1,
        cacheReadTokens: 0,
        cacheWriteTokens: 0,
        cacheWriteLongTokens: 0,
        reasoningTokens: 0,
      },
      model: "scripted",
    };
    return JSON.stringify({
      type: "event",
      at,
      event: { type: "llm_event", requestId: 1, event: { type: "completed", response } },
    });
  }

  #text(n: number): string {
    const words = [rareWord(n % RARE_EVERY)];
    for (let count = 0; count < WORDS_PER_MESSAGE; count++) words.push(this.#words[this.#zipf()] ?? "");
    return words.join(" ");
  }

  /** Place k comes about 1/k as often as the first. */
  #zipf(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(WORDS ** (this.#seed / 2 ** 32)) - 1;
  }
}

function wordOf(index: number): string {
  let word = "";
  for (let rest = index + SYLLABLES.length; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    word += SYLLABLES[rest % SYLLABLES.length];
  return word + (index % 7 === 0 ? "Value" : index % 11 === 0 ? `_${index % 97}` : "");
}

function rareWord(n: number): string {
  return `rare${n.toString(36)}q`;
}

function timeOf(n: number): string {
  return new Date(Date.UTC(2026, 0, 1) + n * 20_000).toISOString();
}
