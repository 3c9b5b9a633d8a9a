/** What TypeScript knows of WebAssembly stands with browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

type Machine = {
  /** What `skip` reads. */
  readonly window: Buffer;
  /**
   * Goes over the first `length` bytes of the window, of which those up to the next multiple of 16 have to be blank. Gives
   * where the value ends, or -1 where it does not end yet. `fresh`: 1 where a value begins, 0 where it goes on.
   */
  skip(length: number, fresh: 0 | 1): number;
  /** The same for a string, whose opening quote lies before. */
  skipString(length: number, fresh: 0 | 1): number;
};

const WINDOW = 64 * 1024;
/** Most values are small. */
const FIRST_WINDOW = 4 * 1024;
const BLOCK = 16;

let machine: Machine | undefined;

/**
 * Behind the JSON object or array that opens at `start`; -1 where it does not end or holds a backslash outside of a
 * string. Like a loop over the bytes, it minds strings and counts brackets of both kinds, but 16 bytes at a time.
 */
export function endOfLargeValue(bytes: Buffer, start: number): number {
  machine ??= createMachine();
  return endFound(bytes, start, machine.window, machine.skip);
}

/** Behind the closing quote of a JSON string of which `start` is within, and not behind a backslash; -1 where there is none. */
export function endOfLargeString(bytes: Buffer, start: number): number {
  machine ??= createMachine();
  return endFound(bytes, start, machine.window, machine.skipString);
}

function endFound(bytes: Buffer, start: number, window: Buffer, skip: Machine["skip"]): number {
  let size = FIRST_WINDOW;
  for (let at = start; at < bytes.length; at += size, size = WINDOW) {
    const length = bytes.copy(window, 0, at, Math.min(at + size, bytes.length));
    if (length % BLOCK !== 0) window.fill(0, length, length + BLOCK - (length % BLOCK));
    const end = skip(length, at === start ? 1 : 0);
    if (end !== -1) return at + end;
  }
  return -1;
}

function createMachine(): Machine {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(program()));
  const { memory, ...functions } = instance.exports as { memory: { buffer: ArrayBuffer } } & Omit<Machine, "window">;
  return { window: Buffer.from(memory.buffer), ...functions };
}

// The program, written down as it runs: operands first. https://webassembly.github.io/spec/core/binary/

type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const END: Code = [0x0b];
const RETURN: Code = [0x0f];

const constant = (value: number): Code => [0x41, ...signed(value)];
const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const load = (global: number): Code => [0x23, global];
const store = (global: number, value: Code): Code => [...value, 0x24, global];
const when = (condition: Code, then: Code, otherwise: Code = []): Code => {
  return [...condition, 0x04, 0x40, ...then, ...(otherwise.length === 0 ? [] : [0x05, ...otherwise]), ...END];
};
const loop = (body: Code): Code => [0x03, 0x40, ...body, ...END];
/** To the beginning of the loop so many constructs further out. */
const again = (depth: number): Code => [0x0c, depth];

const binary = (opcode: number) => (left: Code, right: Code) => [...left, ...right, opcode];
const atMost = binary(0x4c);
const atLeast = binary(0x4f);
const plus = binary(0x6a);
const minus = binary(0x6b);
const and = binary(0x71);
const or = binary(0x72);
const xor = binary(0x73);
const shiftedLeft = binary(0x74);
const shiftedRight = binary(0x76);
const trailingZeros = (value: Code): Code => [...value, 0x68];
const ones = (value: Code): Code => [...value, 0x69];
const not = (value: Code): Code => xor(value, constant(-1));

const loadBlock = (address: Code): Code => [...address, 0xfd, 0x00, 0, 0];
const sixteenTimes = (byte: number): Code => [...constant(byte), 0xfd, 0x0f];
/** One bit for each byte of the block that is this one. */
const bitsOf = (block: Code, byte: number): Code => [...block, ...sixteenTimes(byte), 0xfd, 0x23, 0xfd, 0x64];
/** With bit 5 of each byte set, which makes one of `[` and `{`, and one of `]` and `}`. */
const folded = (block: Code): Code => [...block, ...sixteenTimes(0x20), 0xfd, 0x50];

/** Locals: the parameters first. */
const [LENGTH, FRESH, AT, DEPTH, ESCAPED, INSIDE, SLASHES, QUOTES, OPEN, CLOSE, MASK, BLOCK_BYTES] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
];
/** Globals, from one window to the next: how deep it is, whether the next byte is escaped, -1 within a string. */
const [KEPT_DEPTH, KEPT_ESCAPED, KEPT_INSIDE] = [0, 1, 2];

const ODD_BITS = 0xaaaa;
const ALL_BITS = 0xffff;

/**
 * Backslashes that escape: every second one of a row, found with a subtraction whose borrow runs through the row. The
 * bits of MASK then differ from those of the backslashes where a byte is escaped.
 */
const escapes: Code = [
  ...set(MASK, and(get(SLASHES), not(get(ESCAPED)))),
  ...set(
    MASK,
    and(
      xor(minus(or(shiftedLeft(get(MASK), constant(1)), constant(ODD_BITS)), get(MASK)), constant(ODD_BITS)),
      constant(ALL_BITS),
    ),
  ),
  ...set(QUOTES, and(get(QUOTES), not(xor(get(MASK), or(get(SLASHES), get(ESCAPED)))))),
  ...set(ESCAPED, shiftedRight(and(get(MASK), get(SLASHES)), constant(15))),
];

/** Each bit becomes the parity of those up to it: 1 from an opening quote to before the closing one. */
const parity: Code = [1, 2, 4, 8].flatMap((by) =>
  set(QUOTES, xor(get(QUOTES), shiftedLeft(get(QUOTES), constant(by)))),
);

/** One byte that counts after the other: the value may end in this block, or be none. */
const walk: Code = [
  ...set(MASK, or(or(get(OPEN), get(CLOSE)), get(SLASHES))),
  ...loop(
    when(get(MASK), [
      ...set(QUOTES, and(get(MASK), minus(constant(0), get(MASK)))),
      ...when(and(get(QUOTES), get(SLASHES)), [...constant(-1), ...RETURN]),
      ...when(and(get(QUOTES), get(OPEN)), set(DEPTH, plus(get(DEPTH), constant(1))), [
        ...set(DEPTH, minus(get(DEPTH), constant(1))),
        ...when([...get(DEPTH), 0x45], [...plus(plus(get(AT), trailingZeros(get(QUOTES))), constant(1)), ...RETURN]),
      ]),
      ...set(MASK, and(get(MASK), minus(get(MASK), constant(1)))),
      ...again(1),
    ]),
  ),
];

const skipCode: Code = [
  ...when(
    [...get(FRESH), 0x45],
    [...set(DEPTH, load(KEPT_DEPTH)), ...set(ESCAPED, load(KEPT_ESCAPED)), ...set(INSIDE, load(KEPT_INSIDE))],
  ),
  ...loop([
    ...when(atLeast(get(AT), get(LENGTH)), [
      ...store(KEPT_DEPTH, get(DEPTH)),
      ...store(KEPT_ESCAPED, get(ESCAPED)),
      ...store(KEPT_INSIDE, get(INSIDE)),
      ...constant(-1),
      ...RETURN,
    ]),
    ...set(BLOCK_BYTES, loadBlock(get(AT))),
    ...set(SLASHES, bitsOf(get(BLOCK_BYTES), 0x5c)),
    ...set(QUOTES, bitsOf(get(BLOCK_BYTES), 0x22)),
    ...when(or(get(SLASHES), get(ESCAPED)), escapes),
    ...parity,
    ...set(MASK, and(xor(get(QUOTES), get(INSIDE)), constant(ALL_BITS))),
    ...set(INSIDE, minus(constant(0), shiftedRight(get(MASK), constant(15)))),
    ...set(MASK, not(get(MASK))),
    // Outside of a string a backslash is no JSON, and what it would escape is not certain.
    ...set(SLASHES, and(get(SLASHES), get(MASK))),
    ...set(OPEN, and(bitsOf(folded(get(BLOCK_BYTES)), 0x7b), get(MASK))),
    ...set(CLOSE, and(bitsOf(folded(get(BLOCK_BYTES)), 0x7d), get(MASK))),
    ...when(
      or(get(CLOSE), get(SLASHES)),
      when(
        or(get(SLASHES), atMost(get(DEPTH), ones(get(CLOSE)))),
        walk,
        set(DEPTH, minus(plus(get(DEPTH), ones(get(OPEN))), ones(get(CLOSE)))),
      ),
      set(DEPTH, plus(get(DEPTH), ones(get(OPEN)))),
    ),
    ...set(AT, plus(get(AT), constant(BLOCK))),
    ...again(0),
  ]),
  0x00,
];

const skipStringCode: Code = [
  ...when([...get(FRESH), 0x45], set(ESCAPED, load(KEPT_ESCAPED))),
  ...loop([
    ...when(atLeast(get(AT), get(LENGTH)), [...store(KEPT_ESCAPED, get(ESCAPED)), ...constant(-1), ...RETURN]),
    ...set(BLOCK_BYTES, loadBlock(get(AT))),
    ...set(SLASHES, bitsOf(get(BLOCK_BYTES), 0x5c)),
    ...set(QUOTES, bitsOf(get(BLOCK_BYTES), 0x22)),
    ...when(or(get(SLASHES), get(ESCAPED)), escapes),
    ...when(get(QUOTES), [...plus(plus(get(AT), trailingZeros(get(QUOTES))), constant(1)), ...RETURN]),
    ...set(AT, plus(get(AT), constant(BLOCK))),
    ...again(0),
  ]),
  0x00,
];

function program(): Uint8Array {
  const locals = [2, 9, I32, 1, V128];
  const bodies = [skipCode, skipStringCode].map((code) => sized([...locals, ...code, ...END]));
  const kept = [I32, 1, ...constant(0), ...END];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(3, [2, 0, 0]),
    ...section(5, [1, 0, 1]),
    ...section(6, [3, ...kept, ...kept, ...kept]),
    ...section(7, [3, ...name("memory"), 2, 0, ...name("skip"), 0, 0, ...name("skipString"), 0, 1]),
    ...section(10, [2, ...bodies.flat()]),
  ]);
}

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function name(text: string): Code {
  return sized([...Buffer.from(text, "latin1")]);
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const low = value & 0x7f;
  const rest = value >> 7;
  const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}
