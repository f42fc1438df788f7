import { Button, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { IconFingerprint, IconLockOpen } from '@tabler/icons-react';
import type { VaultUnlock } from 'openmls-wasm';
import { useState, type FormEvent } from 'react';
import { codeOf } from '../../sync/context.ts';
import { Page } from '../Page.tsx';
import { cryptoDatabase } from '../profile.ts';
import type { WorkProgress } from '../session.ts';
import type { Locked } from '../stages.ts';
import { unlockProblem } from '../texts.ts';
import { askForPasskey } from './passkeys.ts';
import { PassphraseOwner } from './PassphraseOwner.tsx';
import { WorkProgressBar } from './WorkProgressBar.tsx';

interface Props {
  locked: Locked;
  progress: WorkProgress | undefined;
  /** Settles when it is unlocked, or is not. */
  onUnlock: (locked: Locked, unlock: VaultUnlock) => Promise<void>;
}

/** Asks for what unlocks the chat. Shows nothing of whose it is: that is sealed too. */
export function UnlockPage({ locked, progress, onUnlock }: Props): React.JSX.Element {
  const { profile, info } = locked;
  const [passphrase, setPassphrase] = useState('');
  const [asking, setAsking] = useState<string>();
  const [busy, setBusy] = useState(false);
  const problem = busy ? undefined : (asking ?? locked.problem);
  const has = (kind: VaultUnlock['kind']): boolean => info.unlocks.some((unlock) => unlock.kind === kind);

  const unlock = async (ask: () => Promise<VaultUnlock>): Promise<void> => {
    setBusy(true);
    setAsking(undefined);
    try {
      await onUnlock(locked, await ask());
      setPassphrase('');
    } catch (error) {
      setAsking(codeOf(error) ?? 'unknown');
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (passphrase === '') return setAsking('no-passphrase');
    void unlock(async () => ({ kind: 'passphrase', passphrase }));
  };

  return (
    <Page data-testid="unlock-page" data-code={problem ?? ''}>
      <Title order={1} size="h3">
        The chat is locked
      </Title>
      <Text c="dimmed" size="sm">
        What is stored in this browser is encrypted.
      </Text>
      {has('passphrase') && (
        <form onSubmit={submit} noValidate>
          <Stack gap="sm">
            <PassphraseOwner />
            <PasswordInput
              label="Passphrase"
              value={passphrase}
              onChange={(event) => {
                setPassphrase(event.currentTarget.value);
                setAsking(undefined);
              }}
              autoFocus
              readOnly={busy}
              autoComplete="current-password"
              visibilityToggleButtonProps={{ 'aria-label': 'Show the passphrase' }}
              data-testid="passphrase-input"
            />
            <Button type="submit" loading={busy} leftSection={<IconLockOpen size={18} aria-hidden />} data-testid="unlock-button">
              Unlock
            </Button>
          </Stack>
        </form>
      )}
      {has('passkey') && (
        <Button
          variant={has('passphrase') ? 'default' : 'filled'}
          loading={busy}
          leftSection={<IconFingerprint size={18} aria-hidden />}
          onClick={() => void unlock(() => askForPasskey(cryptoDatabase(profile), info.unlocks))}
          autoFocus={!has('passphrase')}
          data-testid="unlock-passkey-button"
        >
          Unlock with your passkey
        </Button>
      )}
      {has('device') && (
        <Button
          variant="default"
          loading={busy}
          onClick={() => void unlock(async () => ({ kind: 'device' }))}
          data-testid="unlock-device-button"
        >
          Unlock without a secret
        </Button>
      )}
      {!has('passphrase') && !has('passkey') && !has('device') && <Text>{unlockProblem('no-way')}</Text>}
      {progress !== undefined && busy && <WorkProgressBar progress={progress} />}
      {problem !== undefined && (
        <Text c="red" size="sm" role="alert" data-testid="unlock-problem">
          {unlockProblem(problem)}
        </Text>
      )}
    </Page>
  );
}
