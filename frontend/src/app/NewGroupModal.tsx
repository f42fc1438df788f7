import { Button, Group, Modal, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { maxNameLength } from '../history/payload.ts';
import { codeOf } from '../sync/context.ts';
import { useSession } from './hooks.ts';
import { nameProblem, refusalText } from './texts.ts';

interface Props {
  opened: boolean;
  onClose: () => void;
  onCreated: (conversation: string) => void;
}

export function NewGroupModal({ opened, onClose, onCreated }: Props): React.JSX.Element {
  return (
    <Modal opened={opened} onClose={onClose} title="New group" centered closeButtonProps={{ 'aria-label': 'Close' }}>
      <NewGroupForm onClose={onClose} onCreated={onCreated} />
    </Modal>
  );
}

function NewGroupForm({ onClose, onCreated }: Omit<Props, 'opened'>): React.JSX.Element {
  const { engine, own } = useSession();
  const [name, setName] = useState('');
  const [people, setPeople] = useState<string[]>([]);
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<{ name?: string; people?: string; other?: string }>({});
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (name.trim() === '') return setProblem({ name: 'Please give the group a name.' });
    const users = [...new Set([...people, typed].map((user) => user.trim()).filter((user) => user !== '' && user !== own.user))];
    const wrong = users.map(nameProblem).find((found) => found !== undefined);
    if (wrong !== undefined) return setProblem({ people: wrong });
    setBusy(true);
    try {
      onCreated(await engine.createConversation(name.trim(), users));
    } catch (error) {
      setProblem({ other: refusalText(codeOf(error) ?? 'unknown') });
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <TextInput
          label="Name of the group"
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setProblem({});
          }}
          maxLength={maxNameLength}
          error={problem.name}
          data-autofocus
          autoComplete="off"
          data-testid="group-name-input"
        />
        <TagsInput
          label="People"
          description="Their names, each followed by Enter. You can also invite them later."
          value={people}
          onChange={setPeople}
          searchValue={typed}
          onSearchChange={(value) => {
            setTyped(value);
            setProblem({});
          }}
          splitChars={[',', ';']}
          error={problem.people}
          autoComplete="off"
          data-testid="group-people-input"
        />
        {problem.other !== undefined && (
          <Text c="red" size="sm" role="alert">
            {problem.other}
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} data-testid="create-group-button">
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
