import { Button, Group, NativeSelect, Stack, Text, Title } from '@mantine/core';
import { IconFingerprint, IconKey, IconLockOpen2, IconPassword, IconTrash } from '@tabler/icons-react';
import type { VaultUnlockInfo } from 'openmls-wasm';
import { useState } from 'react';
import { useActions } from '../actions.ts';
import { useSession } from '../hooks.ts';
import styles from '../panels.module.css';
import { protectionTexts, refusalText, unlockNames } from '../texts.ts';
import { dayText } from '../time.ts';
import { ChangeModal, type VaultChange } from './ChangeModal.tsx';
import { passkeysPossible } from './passkeys.ts';
import { SealForm } from './SealForm.tsx';
import { useLockable, useUnlocks } from './unlocks.ts';

const icons = { passphrase: IconPassword, passkey: IconFingerprint, device: IconLockOpen2, key: IconKey } as const;

/** How what is stored in this browser is protected. */
export function ProtectionTab(): React.JSX.Element {
  const { sealed } = useSession();
  return sealed ? <Vault /> : <SealForm />;
}

function Vault(): React.JSX.Element {
  const unlocks = useUnlocks();
  const [change, setChange] = useState<VaultChange>();
  const has = (kind: VaultUnlockInfo['kind']): boolean => unlocks.some((unlock) => unlock.kind === kind);
  return (
    <Stack gap="lg">
      <section>
        <Title order={2} size="h5">
          Ways to unlock
        </Title>
        <Text size="sm" c="dimmed" mb="sm">
          Everything that the chat stores in this browser is encrypted. Each of these opens it.
        </Text>
        <ul className={styles.members} aria-label="Ways to unlock">
          {unlocks.map((unlock) => (
            <Way key={unlock.id} unlock={unlock} removable={unlocks.length > 1} onRemove={() => setChange({ what: 'remove', unlock })} />
          ))}
        </ul>
        {has('device') && (
          <Text size="sm" mt="xs" data-testid="device-text">
            {protectionTexts.device.text}
            {unlocks.length > 1 ? ' As long as this is in the list, locking means nothing.' : ''}
          </Text>
        )}
        <Group gap="xs" mt="sm">
          {has('passphrase') ? (
            <Button variant="light" size="xs" onClick={() => setChange({ what: 'change-passphrase' })} data-testid="change-passphrase-button">
              Change passphrase
            </Button>
          ) : (
            <Button variant="light" size="xs" onClick={() => setChange({ what: 'add-passphrase' })} data-testid="add-passphrase-button">
              Add a passphrase
            </Button>
          )}
          {passkeysPossible() && (
            <Button variant="light" size="xs" onClick={() => setChange({ what: 'add-passkey' })} data-testid="add-passkey-button">
              Add a passkey
            </Button>
          )}
        </Group>
      </section>
      <AutomaticLock />
      <section>
        <Title order={2} size="h5">
          Renew the key
        </Title>
        <Text size="sm" c="dimmed" mb="xs">
          Encrypts everything anew. Do it if somebody may have had a copy of this browser’s profile and a way to unlock it:
          then also change that way. It takes a moment.
        </Text>
        <Button variant="light" size="xs" onClick={() => setChange({ what: 'renew-key' })} data-testid="renew-key-button">
          Renew the key
        </Button>
      </section>
      <ChangeModal change={change} onClose={() => setChange(undefined)} />
    </Stack>
  );
}

function Way({ unlock, removable, onRemove }: { unlock: VaultUnlockInfo; removable: boolean; onRemove: () => void }): React.JSX.Element {
  const Symbol = icons[unlock.kind];
  const name = unlockNames[unlock.kind];
  return (
    <li className={styles.member} data-testid="unlock-way" data-kind={unlock.kind}>
      <Symbol size={20} aria-hidden />
      <div className={styles.memberText}>
        <Text fw={600}>{name}</Text>
        <Text size="xs" c="dimmed">
          Added: {dayText(unlock.createdAt)}
        </Text>
      </div>
      {removable && (
        <Button
          variant="subtle"
          color="red"
          size="compact-xs"
          className={styles.fixed ?? ''}
          leftSection={<IconTrash size={14} aria-hidden />}
          onClick={onRemove}
          aria-label={`Remove: ${name}`}
          data-testid="remove-unlock-button"
        >
          Remove
        </Button>
      )}
    </li>
  );
}

const lockTimes = [1, 5, 15, 60];

function AutomaticLock(): React.JSX.Element {
  const { profile } = useSession();
  const { setProfile } = useActions();
  const lockable = useLockable();
  const { lockAfterMinutes, ...others } = profile;
  const [problem, setProblem] = useState<string>();

  const choose = (value: string): void => {
    setProblem(undefined);
    setProfile(value === '' ? others : { ...others, lockAfterMinutes: Number(value) }).catch(() => setProblem(refusalText('storage-failed')));
  };

  return (
    <section>
      <Title order={2} size="h5">
        Lock by itself
      </Title>
      <NativeSelect
        mt="xs"
        label="When nobody has touched the page for"
        description={lockable ? undefined : 'There is no secret to lock with: add one, and remove “No secret”.'}
        disabled={!lockable}
        error={problem}
        value={lockAfterMinutes ?? ''}
        onChange={(event) => choose(event.currentTarget.value)}
        data={[{ value: '', label: 'Never' }, ...lockTimes.map((minutes) => ({ value: String(minutes), label: minutes === 1 ? '1 minute' : `${minutes} minutes` }))]}
        data-testid="lock-after"
      />
    </section>
  );
}
