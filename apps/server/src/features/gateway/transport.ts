/** The code of an error: the time to connect is over. */
export const CONNECT_TIMED_OUT = "CONNECT_TIMED_OUT";

/** Flat, name after value. */
export type UpstreamRequest = {
  readonly path: string;
  readonly method: string;
  readonly headers: string[];
  readonly body: Buffer | NodeJS.ReadableStream | null;
};

export type UpstreamHeaders = { readonly [name: string]: string | string[] | undefined };

/** What can be done to a request that runs. */
export type UpstreamControl = {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
};

/** What happens to a request. */
export type UpstreamHandler = {
  /** A connection was found. Comes before anything else but `onResponseError`. */
  onRequestStart(control: UpstreamControl): void;
  /** Also for 1xx. */
  onResponseStart(control: UpstreamControl, status: number, headers: UpstreamHeaders): void;
  onResponseData(control: UpstreamControl, chunk: Buffer): void;
  onResponseEnd(control: UpstreamControl, trailers: UpstreamHeaders): void;
  onResponseError(control: UpstreamControl, error: Error): void;
};

/** How bytes get to an upstream and back. Follows no redirect, asks no proxy, waits for nothing longer than to connect. */
export type Transport = {
  /**
   * `origin`: from the configuration, and from nowhere else. `connectMs`: how long a connection may take; default: as
   * long as the transport was told.
   */
  dispatch(origin: string, request: UpstreamRequest, handler: UpstreamHandler, connectMs?: number): void;
  close(): void;
};
