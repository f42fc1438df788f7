import { Alert, Button, Stack, Text, Title } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useActions } from '../actions.ts';
import { useSession } from '../hooks.ts';
import { cryptoDatabase } from '../profile.ts';
import { ProtectionFields } from './ProtectionFields.tsx';
import { useProtection } from './protection.ts';

/** Encrypts a database that was in the clear so far. */
export function SealForm(): React.JSX.Element {
  const { profile, own } = useSession();
  const { seal } = useActions();
  const protection = useProtection();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!protection.check()) return;
    setBusy(true);
    const unlock = await protection.make(cryptoDatabase(profile), own.user);
    if (unlock === undefined) return setBusy(false);
    seal(unlock);
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <Title order={2} size="h5">
          Encrypt what is stored
        </Title>
        <Alert color="yellow" data-testid="plain-notice">
          What the chat stores in this browser can be read by whoever has access to its files.
        </Alert>
        <ProtectionFields protection={protection} />
        <Text size="sm" c="dimmed">
          The chat closes for a moment. Parts of what was stored in the clear may stay in the browser’s files until it tidies
          them up.
        </Text>
        <Button type="submit" loading={busy} data-testid="seal-button">
          Encrypt everything
        </Button>
      </Stack>
    </form>
  );
}
