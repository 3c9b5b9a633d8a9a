/** A second factor without what it is made of. Times are RFC 3339. */
export type FactorInfo = {
  readonly id: string;
  readonly type: "totp" | "passkey";
  readonly name: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
};

export type FactorList = { readonly factors: readonly FactorInfo[]; readonly recoveryCodesLeft: number };
