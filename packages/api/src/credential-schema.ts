export { credentialSecret } from "./schemas/credentials.ts";
