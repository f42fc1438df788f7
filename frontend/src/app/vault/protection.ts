import { createPasskey, type VaultUnlock } from 'openmls-wasm';
import { useState } from 'react';
import { codeOf } from '../../sync/context.ts';
import { unlockProblem } from '../texts.ts';
import { passphraseProblem } from './passphrase.ts';

export type ProtectionKind = 'passphrase' | 'passkey' | 'device';

/** The choice of how this browser protects what is stored, as far as it was made. */
export interface Protection {
  kind: ProtectionKind;
  passphrase: string;
  again: string;
  problem: { passphrase?: string; again?: string; passkey?: string };
  change(to: Partial<Pick<Protection, 'kind' | 'passphrase' | 'again'>>): void;
  /** Whether it can be used as it is; shows why not. */
  check(): boolean;
  /** Makes what unlocks. Undefined if that did not work: the reason is shown, and a passphrase offered. */
  make(database: string, userName: string): Promise<VaultUnlock | undefined>;
}

export function useProtection(): Protection {
  const [choice, setChoice] = useState<Pick<Protection, 'kind' | 'passphrase' | 'again'>>({ kind: 'passphrase', passphrase: '', again: '' });
  const [problem, setProblem] = useState<Protection['problem']>({});
  const { kind, passphrase, again } = choice;
  return {
    ...choice,
    problem,
    change: (to) => {
      setChoice({ ...choice, ...to });
      setProblem({});
    },
    check: () => {
      const wrong = kind === 'passphrase' ? passphraseProblem(passphrase, again) : undefined;
      setProblem(wrong ?? {});
      return wrong === undefined;
    },
    make: async (database, userName) => {
      if (kind === 'passphrase') return { kind, passphrase };
      if (kind === 'device') return { kind };
      try {
        return await createPasskey({ name: database, userName });
      } catch (error) {
        setProblem({ passkey: `${unlockProblem(codeOf(error) ?? 'unknown')} You can choose a passphrase instead.` });
        setChoice({ ...choice, kind: 'passphrase' });
        return undefined;
      }
    },
  };
}
