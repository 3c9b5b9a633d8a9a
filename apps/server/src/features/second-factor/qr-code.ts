import { encode } from "uqr";
import { type Html, html } from "../../kit/html.ts";

/** Light modules around it, so that a camera finds where it begins (ISO/IEC 18004, 9.1). */
const QUIET_ZONE = 4;

/**
 * A text as a QR code (ISO/IEC 18004), for the camera of a phone: a drawing in the page itself, which loads nothing. Dark on light, whatever the
 * page's colours are.
 */
export function qrCode(text: string, label: string): Html {
  const { size, data } = encode(text, { ecc: "M", border: QUIET_ZONE });
  const rows = data.map((row, y) => runsOf(row).map(({ from, length }) => `M${from} ${y}h${length}v1h-${length}z`));
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="#fff"/><path fill="#000" d="${rows.flat().join("")}"/></svg>`;
}

/** Where dark modules stand side by side. */
function runsOf(row: readonly boolean[]): { readonly from: number; readonly length: number }[] {
  const runs: { from: number; length: number }[] = [];
  for (const [x, isDark] of row.entries()) {
    const last = runs.at(-1);
    if (!isDark) continue;
    if (last !== undefined && last.from + last.length === x) last.length += 1;
    else runs.push({ from: x, length: 1 });
  }
  return runs;
}
