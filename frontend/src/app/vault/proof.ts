import type { VaultUnlock, VaultUnlockInfo } from 'openmls-wasm';
import { useState } from 'react';
import { askForPasskey } from './passkeys.ts';

export type ProofKind = 'passphrase' | 'passkey' | 'device';

/** A way to unlock, asked for once more: nothing that is in memory can change the vault. */
export interface Proof {
  /** The kinds that this vault has, and this app can ask for. */
  kinds: ProofKind[];
  kind: ProofKind | undefined;
  passphrase: string;
  setKind(kind: ProofKind): void;
  setPassphrase(passphrase: string): void;
  /** Asks where it has to be asked. Rejects with a `code`. */
  give(): Promise<VaultUnlock>;
}

const order: ProofKind[] = ['device', 'passphrase', 'passkey'];

/** @param only a kind that it must be */
export function useProof(database: string, unlocks: readonly VaultUnlockInfo[], only?: ProofKind): Proof {
  const [chosen, setKind] = useState<ProofKind>();
  const [passphrase, setPassphrase] = useState('');
  const kinds = order.filter((kind) => (only === undefined || kind === only) && unlocks.some((unlock) => unlock.kind === kind));
  const kind = chosen ?? kinds[0];
  return {
    kinds,
    kind,
    passphrase,
    setKind,
    setPassphrase,
    give: async () => {
      if (kind === 'passkey') return askForPasskey(database, unlocks);
      if (kind === 'device') return { kind };
      if (kind === undefined || passphrase === '') throw Object.assign(new Error('nothing was typed'), { code: kind === undefined ? 'no-way' : 'no-passphrase' });
      return { kind, passphrase };
    },
  };
}
