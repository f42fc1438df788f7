/** What a vault tells without being unlocked. */

import type { StoredUnlock, VaultHeader, VaultState } from './header.js';

/** A way to unlock a vault, without what is secret of it. */
export interface VaultUnlockInfo {
  /** Its id, for `removeVaultUnlock`. */
  readonly id: string;
  /** Of which kind it is. */
  readonly kind: StoredUnlock['kind'];
  /** When it was added, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Of a passkey, the WebAuthn credential: for `usePasskey`. */
  readonly credentialId?: Uint8Array;
}

/** What `vaultInfo` tells. */
export interface VaultInfo {
  /** `sealed`; anything else is a conversion that was not finished: it goes on at the next unlock. */
  readonly state: VaultState;
  /** The ways to unlock it. */
  readonly unlocks: readonly VaultUnlockInfo[];
}

// What may be told of a way to unlock.
export function publicView({ id, kind, createdAt, credentialId }: StoredUnlock): VaultUnlockInfo {
  return { id, kind, createdAt, ...(credentialId !== undefined && { credentialId: credentialId.slice() }) };
}

// What may be told of a vault.
export function publicInfo({ state, unlocks }: VaultHeader): VaultInfo {
  return { state, unlocks: unlocks.map(publicView) };
}
