import { Button, Text, TextInput, Title } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import type { CoreCryptoClient } from 'openmls-wasm';
import { codeOf } from '../sync/context.ts';
import { Page } from './Page.tsx';
import type { Profile } from './profile.ts';
import { createIdentity, reachDeliveryService, type Candidate } from './session.ts';
import { nameProblem, refusalText } from './texts.ts';

interface Props {
  profile: Profile;
  client: CoreCryptoClient;
  onCreated: (candidate: Candidate) => Promise<void>;
}

export function StartPage({ profile, client, onCreated }: Props): React.JSX.Element {
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wrong = nameProblem(name);
    setProblem(wrong);
    if (wrong !== undefined) return;
    setBusy(true);
    try {
      await reachDeliveryService();
      await onCreated(await createIdentity(profile, client, name.trim()));
    } catch (error) {
      setProblem(refusalText(codeOf(error) ?? 'unknown'));
      setBusy(false);
    }
  };

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
          autoComplete="nickname"
          data-testid="name-input"
          mb="md"
        />
        <Button type="submit" fullWidth loading={busy} data-testid="register-button">
          Start chatting
        </Button>
      </form>
    </Page>
  );
}
