import { Button, Group, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useSession } from './hooks.ts';
import { codeOf } from '../sync/context.ts';
import { nameProblem, refusalText } from './texts.ts';

/** Invites a user by name. What becomes of it shows below the form, also after a reload. */
export function InviteForm({ conversation }: { conversation: string }): React.JSX.Element {
  const { engine } = useSession();
  const [user, setUser] = useState('');
  const [problem, setProblem] = useState<string>();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wrong = nameProblem(user);
    setProblem(wrong);
    if (wrong !== undefined) return;
    try {
      await engine.invite(conversation, user.trim());
      setUser('');
    } catch (error) {
      setProblem(refusalText(codeOf(error) ?? 'unknown'));
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Group align="flex-start" gap="xs" wrap="nowrap">
        <TextInput
          aria-label="Name of the person to invite"
          placeholder="Invite by name"
          value={user}
          onChange={(event) => {
            setUser(event.currentTarget.value);
            setProblem(undefined);
          }}
          error={problem}
          maxLength={64}
          style={{ flex: 1 }}
          autoComplete="off"
          data-testid="invite-input"
        />
        <Button type="submit" data-testid="invite-button">
          Invite
        </Button>
      </Group>
    </form>
  );
}
