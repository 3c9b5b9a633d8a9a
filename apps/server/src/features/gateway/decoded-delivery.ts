import type { Transform } from "node:stream";
import type { LlmFailure } from "@loom/core";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import type { UpstreamHeaders } from "./transport.ts";

/** Takes a Content-Encoding off before the delivery behind it, for upstreams that compress without being asked to. */
export class DecodedDelivery implements Delivery {
  readonly #inner: Delivery;
  readonly #decoder: Transform;
  readonly #host: DeliveryHost;
  #over = false;

  constructor(inner: Delivery, decoder: Transform, host: DeliveryHost) {
    this.#inner = inner;
    this.#decoder = decoder;
    this.#host = host;
    decoder.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      inner.onChunk(chunk);
      // What is packed small may be large: no more is unpacked than the client takes.
      if (host.outgoing.writableNeedDrain) {
        decoder.pause();
        host.outgoing.once("drain", () => decoder.resume());
      }
    });
    decoder.once("end", () => {
      if (!this.#over) inner.onEnd({});
    });
    decoder.once("error", () => {
      if (!this.#over) this.#giveUp();
    });
  }

  get sent(): boolean {
    return this.#inner.sent;
  }

  isWhole(): boolean {
    return this.#inner.isWhole();
  }

  onHead(status: number, headers: UpstreamHeaders): void {
    this.#inner.onHead(status, headers);
  }

  onChunk(chunk: Buffer): void {
    if (this.#over || this.#decoder.write(chunk)) return;
    this.#host.pause(this.#decoder);
  }

  onEnd(): void {
    this.#decoder.end();
  }

  broken(failure: LlmFailure): void {
    this.#stop();
    this.#inner.broken(failure);
  }

  read(): Answered | undefined {
    this.#stop();
    return this.#inner.read();
  }

  /** What is there may be a whole answer, though not a whole of what it was packed in. */
  #giveUp(): void {
    this.#stop();
    if (this.#inner.isWhole()) {
      this.#inner.onEnd({});
      return;
    }
    this.#host.failed({
      code: "invalid_response",
      message: "The provider's answer is compressed in a way that cannot be read.",
      retryable: false,
    });
  }

  #stop(): void {
    this.#over = true;
    this.#decoder.destroy();
  }
}
