import type { Labels } from "./metrics.ts";

type Series = { readonly labels: string; readonly counts: number[]; sum: number };

/**
 * A histogram as Prometheus has it. Observations are counted where they fall at once: every request makes some, and
 * prom-client takes as long for one of them as a request's way through the router.
 */
export class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  /** Upper bounds, ascending. */
  readonly #buckets: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor(definition: {
    readonly name: string;
    readonly help: string;
    readonly labels: readonly string[];
    readonly buckets: readonly number[];
  }) {
    this.#name = definition.name;
    this.#help = definition.help;
    this.#labels = definition.labels;
    this.#buckets = definition.buckets;
    // Without labels, it is there before anything was observed.
    if (this.#labels.length === 0) this.#find({});
  }

  observe(labels: Labels, value: number): void {
    this.#count(this.#find(labels), value);
  }

  observerOf(labels: Labels): (value: number) => void {
    const series = this.#find(labels);
    return (value) => this.#count(series, value);
  }

  #count(series: Series, value: number): void {
    let index = 0;
    while (index < this.#buckets.length && value > (this.#buckets[index] ?? 0)) index += 1;
    series.counts[index] = (series.counts[index] ?? 0) + 1;
    series.sum += value;
  }

  /** The text format, version 0.0.4, in the order in which prom-client writes it. */
  render(): string {
    const lines = [`# HELP ${this.#name} ${escaped(this.#help)}`, `# TYPE ${this.#name} histogram`];
    for (const { labels, counts, sum } of this.#series.values()) {
      let total = 0;
      [...this.#buckets, "+Inf"].forEach((bound, index) => {
        total += counts[index] ?? 0;
        lines.push(`${this.#name}_bucket{le="${bound}"${labels === "" ? "" : `,${labels}`}} ${total}`);
      });
      const set = labels === "" ? "" : `{${labels}}`;
      lines.push(`${this.#name}_sum${set} ${sum}`, `${this.#name}_count${set} ${total}`);
    }
    return `${lines.join("\n")}\n`;
  }

  #find(labels: Labels): Series {
    let key = "";
    for (const name of this.#labels) key += `${labels[name] ?? ""}\0`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const text = this.#labels
        .map((name) => `${name}="${escaped(labels[name] ?? "").replaceAll('"', '\\"')}"`)
        .join(",");
      series = { labels: text, counts: new Array(this.#buckets.length + 1).fill(0), sum: 0 };
      this.#series.set(key, series);
    }
    return series;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
