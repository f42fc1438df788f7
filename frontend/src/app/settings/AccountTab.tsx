import { Alert, Button, Code, CopyButton, Group, Loader, Stack, Text, TextInput, Title } from '@mantine/core';
import { useCallback, useEffect, useState, type FormEvent } from 'react';
import { fromBase64Url, toBase64Url } from '../../delivery/bytes.ts';
import type { RegisteredClient } from '../../delivery/types.ts';
import { codeOf } from '../../sync/context.ts';
import { useSession } from '../hooks.ts';
import styles from '../panels.module.css';
import { refusalText } from '../texts.ts';

export function AccountTab(): React.JSX.Element {
  const { own, linkCode } = useSession();
  return (
    <Stack gap="lg">
      <section>
        <Text size="sm" c="dimmed">
          Signed in as
        </Text>
        <Text fw={600} className={styles.wrap ?? ''}>
          {own.user}
        </Text>
        <Text size="sm" c="dimmed" mt="xs">
          This device’s code
        </Text>
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Code className={styles.code ?? ''} data-testid="own-code">
            {linkCode}
          </Code>
          <CopyButton value={linkCode}>
            {({ copied, copy }) => (
              <Button size="compact-xs" variant="subtle" onClick={copy} className={styles.fixed ?? ''}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
        </Group>
      </section>
      <LinkDevice />
      <Devices />
    </Stack>
  );
}

function LinkDevice(): React.JSX.Element {
  const { engine } = useSession();
  const [code, setCode] = useState('');
  const [problem, setProblem] = useState<string>();
  const [linked, setLinked] = useState(false);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setLinked(false);
    try {
      const publicKey = fromBase64Url(code.replaceAll(/\s/g, ''));
      if (publicKey.length < 32) return setProblem('That is not a device’s code.');
      await engine.link(publicKey);
      setCode('');
      setLinked(true);
    } catch (error) {
      setProblem(error instanceof SyntaxError ? 'That is not a device’s code.' : refusalText(codeOf(error) ?? 'unknown'));
    }
  };

  return (
    <section>
      <Title order={2} size="h5">
        Link a device
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        Choose your name on the new device; it then shows a code. Enter a code only if you see it on a device of your own:
        that device can then read and write as you.
      </Text>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Group align="flex-start" gap="xs" wrap="nowrap">
          <TextInput
            aria-label="Code of the new device"
            placeholder="Code of the new device"
            value={code}
            onChange={(event) => {
              setCode(event.currentTarget.value);
              setProblem(undefined);
            }}
            error={problem}
            style={{ flex: 1 }}
            data-testid="link-input"
          />
          <Button type="submit" disabled={code.trim() === ''} data-testid="link-button">
            Link
          </Button>
        </Group>
      </form>
      {linked && (
        <Alert color="green" mt="xs" role="status" data-testid="linked">
          Linked. Once the new device has signed in, add it to your conversations below.
        </Alert>
      )}
    </section>
  );
}

function Devices(): React.JSX.Element {
  const { own, linkCode, delivery, engine, history } = useSession();
  const [clients, setClients] = useState<RegisteredClient[]>();
  const [problem, setProblem] = useState<string>();
  const [added, setAdded] = useState<number>();

  const load = useCallback(() => {
    delivery
      .clientsOf(own.user)
      .then((found) => {
        setClients(found);
        setProblem(undefined);
      })
      .catch((error: unknown) => setProblem(refusalText(codeOf(error) ?? 'unknown')));
  }, [delivery, own.user]);
  useEffect(() => {
    load();
    // While the drawer is open: a device that was just linked appears by itself.
    const timer = setInterval(load, 5000);
    return () => clearInterval(timer);
  }, [load]);

  const addEverywhere = async (): Promise<void> => {
    load();
    const current = await delivery.clientsOf(own.user).catch(() => []);
    let count = 0;
    for (const conversation of await history.conversations()) {
      const missing = current.some(({ client }) => !conversation.members.includes(`${own.user}/${client}`));
      if (conversation.standing !== 'member' || !missing) continue;
      await engine.invite(conversation.id, own.user);
      count += 1;
    }
    setAdded(count);
  };

  return (
    <section>
      <Title order={2} size="h5">
        Your devices
      </Title>
      {problem !== undefined && (
        <Text size="sm" c="red">
          {problem}
        </Text>
      )}
      {clients === undefined && problem === undefined && <Loader size="xs" />}
      <ul className={styles.deviceList}>
        {clients?.map(({ client, publicKey }) => (
          <li key={client} data-testid="own-device">
            <code>{client}</code>
            {toBase64Url(publicKey) === linkCode ? ' (this device)' : ''}
          </li>
        ))}
      </ul>
      {clients !== undefined && clients.length > 1 && (
        <Button variant="light" size="xs" mt="xs" onClick={() => void addEverywhere()} data-testid="add-devices-button">
          Add my devices to all my conversations
        </Button>
      )}
      {added !== undefined && (
        <Text size="sm" mt="xs" role="status">
          {added === 0 ? 'They are in all of them already.' : `Being added to ${added === 1 ? '1 conversation' : `${added} conversations`}.`}
        </Text>
      )}
    </section>
  );
}
