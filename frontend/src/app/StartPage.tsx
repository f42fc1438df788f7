import { Alert, Button, Text, TextInput, Title } from '@mantine/core';
import { IconRestore } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import { codeOf } from '../sync/context.ts';
import { RestorePage } from './backup/RestorePage.tsx';
import { Page } from './Page.tsx';
import { cryptoDatabase, isPlainWanted, type Profile } from './profile.ts';
import { createIdentity, openDatabase, reachDeliveryService, type Candidate, type Opened, type Report } from './session.ts';
import { startProblem, nameProblem } from './texts.ts';
import { useProtection } from './vault/protection.ts';
import { ProtectionFields } from './vault/ProtectionFields.tsx';

interface Props {
  profile: Profile;
  /** The database is there already, without an identity. */
  opened: Opened | undefined;
  onCreated: (candidate: Candidate) => Promise<void>;
  /** Kept by the client for as long as it lives, with all that it knows: not one of this page, which knows the name. */
  report: Report;
}

export function StartPage({ profile, opened: before, onCreated, report }: Props): React.JSX.Element {
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [opened, setOpened] = useState(before);
  const protection = useProtection();
  const plain = opened === undefined ? isPlainWanted() : !opened.sealed;
  const [restoring, setRestoring] = useState(false);
  const choosing = opened === undefined && !plain;

  /** The database, made now unless an attempt before this one has made it. Undefined: the user has to choose anew. */
  const database = async (): Promise<Opened | undefined> => {
    if (opened !== undefined) return opened;
    const unlock = plain ? undefined : await protection.make(cryptoDatabase(profile), name.trim());
    if (unlock === undefined && !plain) return undefined;
    const made = await openDatabase(profile, unlock, false, report);
    setOpened(made);
    return made;
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wrong = nameProblem(name);
    setProblem(wrong);
    // Both are shown at once.
    const chosen = !choosing || protection.check();
    if (wrong !== undefined || !chosen) return;
    setBusy(true);
    try {
      await reachDeliveryService();
      const made = await database();
      if (made !== undefined) return await onCreated(await createIdentity(made, name.trim()));
    } catch (error) {
      setProblem(startProblem(codeOf(error) ?? 'unknown'));
    }
    setBusy(false);
  };

  if (restoring) {
    return (
      <RestorePage
        profile={profile}
        opened={opened}
        plain={plain}
        report={report}
        onRestored={onCreated}
        onFailed={() => setOpened(undefined)}
        onBack={() => setRestoring(false)}
      />
    );
  }
  return (
    <Page data-testid="start-page">
      <Title order={1} size="h2">
        Welcome
      </Title>
      <Text c="dimmed">
        Messages here are encrypted on your device, and only the members of a conversation can read them. Choose the
        name under which others find you.
      </Text>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <TextInput
          label="Your name"
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setProblem(undefined);
          }}
          error={problem}
          maxLength={64}
          autoFocus
          // Not to be kept by the browser: its own notes are in the clear.
          autoComplete="off"
          data-testid="name-input"
          mb="md"
        />
        {choosing && <ProtectionFields protection={protection} />}
        {plain && (
          <Alert color="yellow" data-testid="plain-notice">
            For development: everything is stored in the clear in this browser.
          </Alert>
        )}
        <Button type="submit" fullWidth loading={busy} mt="md" data-testid="register-button">
          Start chatting
        </Button>
      </form>
      <Button variant="subtle" leftSection={<IconRestore size={18} aria-hidden />} onClick={() => setRestoring(true)} disabled={busy} data-testid="restore-link">
        Restore from a backup
      </Button>
    </Page>
  );
}
