/** A new access token will not be had with what we know. `message` is a whole sentence. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}
