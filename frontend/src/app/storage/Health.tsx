import { Alert, Button, Loader, Group, Text, Title } from '@mantine/core';
import type { DamagedGroup } from 'openmls-wasm';
import { useState } from 'react';
import { toHex } from '../../delivery/bytes.ts';
import { codeOf } from '../../sync/context.ts';
import { useSession } from '../hooks.ts';
import { titleOf } from '../naming.ts';
import styles from '../panels.module.css';
import { refusalText } from '../texts.ts';

interface Damage {
  group: DamagedGroup;
  title: string;
}

type Check = { at: 'looking'; looked: number } | { at: 'done'; looked: number; damages: Damage[] } | { at: 'failed'; code: string };

/** Looks whether the keys of every conversation can be read. They are otherwise read when a conversation is used. */
export function Health(): React.JSX.Element {
  const { client, history, own } = useSession();
  const [check, setCheck] = useState<Check>();

  const look = async (): Promise<void> => {
    let looked = 0;
    setCheck({ at: 'looking', looked });
    try {
      const found = await client.findDamagedGroups((groups) => {
        looked = groups;
        setCheck({ at: 'looking', looked });
      });
      const damages: Damage[] = [];
      for (const group of found) {
        const conversation = await history.conversation(toHex(group.groupId));
        damages.push({ group, title: conversation === undefined ? 'A conversation' : titleOf(conversation, own.user) });
      }
      setCheck({ at: 'done', looked, damages });
    } catch (error) {
      setCheck({ at: 'failed', code: codeOf(error) ?? 'unknown' });
    }
  };

  return (
    <section>
      <Title order={2} size="h5">
        Health
      </Title>
      <Text size="sm" c="dimmed" mt="xs" mb="xs">
        Looks whether the keys of every conversation can be read.
      </Text>
      {check?.at === 'looking' ? (
        <Group gap="xs" role="status" data-testid="health-looking">
          <Loader size="xs" />
          <Text size="sm">{check.looked} looked at</Text>
        </Group>
      ) : (
        <Button variant="light" size="xs" onClick={() => void look()} data-testid="health-button">
          Check all conversations
        </Button>
      )}
      {check?.at === 'failed' && (
        <Alert color="red" mt="xs" role="alert">
          {refusalText(check.code)}
        </Alert>
      )}
      {check?.at === 'done' && check.damages.length === 0 && (
        <Alert color="green" mt="xs" role="status" data-testid="health-good">
          {check.looked === 0 ? 'There are no conversations yet.' : 'All conversations can be read.'}
        </Alert>
      )}
      {check?.at === 'done' && check.damages.map((damage) => <Damaged key={toHex(damage.group.groupId)} damage={damage} />)}
    </section>
  );
}

function Damaged({ damage: { group, title } }: { damage: Damage }): React.JSX.Element {
  const { engine } = useSession();
  const [state, setState] = useState<'damaged' | 'busy' | 'repaired'>('damaged');
  const [problem, setProblem] = useState<string>();

  const repair = async (): Promise<void> => {
    setState('busy');
    setProblem(undefined);
    try {
      await engine.repair(group.groupId);
      setState('repaired');
    } catch (error) {
      setProblem(refusalText(codeOf(error) ?? 'unknown'));
      setState('damaged');
    }
  };

  return (
    <Alert
      color={state === 'repaired' ? 'blue' : 'red'}
      mt="xs"
      role="status"
      title={<span className={styles.wrap}>{title}</span>}
      data-testid="damaged-group"
      data-state={state}
    >
      {state === 'repaired' ? (
        'Its keys have been set aside; nothing was deleted. To write in it again, ask somebody in it to add you anew: under Members, below your name. What was said so far stays here to read.'
      ) : (
        <>
          <Text size="sm" mb="xs">
            {group.code === 'damaged-record'
              ? 'A stored key cannot be read. Nothing can be sent or received in this conversation on this device.'
              : 'The stored keys do not belong together: some are missing, or older than others. Nothing can be sent or received in this conversation on this device.'}
          </Text>
          {problem !== undefined && (
            <Text size="sm" c="red" role="alert" mb="xs">
              {problem}
            </Text>
          )}
          <Button size="xs" color="red" variant="light" loading={state === 'busy'} onClick={() => void repair()} data-testid="repair-button">
            Set its keys aside
          </Button>
        </>
      )}
    </Alert>
  );
}
