import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { createPasskey, type VaultUnlock, type VaultUnlockInfo } from 'openmls-wasm';
import { useState, type FormEvent } from 'react';
import { codeOf } from '../../sync/context.ts';
import { useActions } from '../actions.ts';
import { useSession } from '../hooks.ts';
import { cryptoDatabase } from '../profile.ts';
import { changeTexts, unlockProblem } from '../texts.ts';
import { PassphraseFields } from './PassphraseFields.tsx';
import { passphraseProblem } from './passphrase.ts';
import { useProof } from './proof.ts';
import { ProofFields } from './ProofFields.tsx';
import { useUnlocks } from './unlocks.ts';

/** A change of the vault, which needs a way to unlock that there is. */
export type VaultChange =
  | { what: 'add-passphrase' }
  | { what: 'add-passkey' }
  | { what: 'change-passphrase' }
  | { what: 'remove'; unlock: VaultUnlockInfo }
  | { what: 'renew-key' };

interface Props {
  /** Undefined: closed. */
  change: VaultChange | undefined;
  onClose: () => void;
}

export function ChangeModal({ change, onClose }: Props): React.JSX.Element {
  return (
    <Modal
      opened={change !== undefined}
      onClose={onClose}
      title={change === undefined ? '' : changeTexts[change.what].title}
      centered
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {change !== undefined && <ChangeForm change={change} onClose={onClose} />}
    </Modal>
  );
}

function ChangeForm({ change, onClose }: { change: VaultChange; onClose: () => void }): React.JSX.Element {
  const { client, own, profile, unlocks } = useSession();
  const { renewKey } = useActions();
  const { what } = change;
  const database = cryptoDatabase(profile);
  const proof = useProof(database, useUnlocks(), what === 'change-passphrase' ? 'passphrase' : undefined);
  const [next, setNext] = useState({ passphrase: '', again: '' });
  const [wrong, setWrong] = useState<{ passphrase?: string; again?: string }>({});
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const typed = what === 'add-passphrase' || what === 'change-passphrase';

  const carryOut = async (current: VaultUnlock): Promise<void> => {
    switch (change.what) {
      case 'add-passphrase':
        return unlocks.set(await client.addVaultUnlock(current, { kind: 'passphrase', passphrase: next.passphrase }));
      case 'change-passphrase':
        return unlocks.set(await client.changeVaultUnlock(current, { kind: 'passphrase', passphrase: next.passphrase }));
      case 'add-passkey':
        return unlocks.set(await client.addVaultUnlock(current, await createPasskey({ name: database, userName: own.user })));
      case 'remove':
        return unlocks.set(await client.removeVaultUnlock(current, change.unlock.id));
      case 'renew-key':
        return renewKey(current);
    }
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const refused = typed ? passphraseProblem(next.passphrase, next.again) : undefined;
    setWrong(refused ?? {});
    if (refused !== undefined) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await carryOut(await proof.give());
      onClose();
    } catch (error) {
      setProblem(unlockProblem(codeOf(error) ?? 'unknown'));
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <Text size="sm">{changeTexts[what].text}</Text>
        <ProofFields proof={proof} label={typed ? 'Your present passphrase' : 'Your passphrase'} onChange={() => setProblem(undefined)} />
        {typed && (
          <PassphraseFields
            {...next}
            problem={wrong}
            onChange={(to) => {
              setNext({ ...next, ...to });
              setWrong({});
            }}
          />
        )}
        {problem !== undefined && (
          <Text c="red" size="sm" role="alert" data-testid="change-problem">
            {problem}
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} {...(what === 'remove' && { color: 'red' })} data-testid="change-confirm">
            {changeTexts[what].confirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
