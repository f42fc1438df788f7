import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { codeOf } from '../sync/context.ts';
import { useSession } from './hooks.ts';
import { refusalText } from './texts.ts';

interface Props {
  opened: boolean;
  onClose: () => void;
  onLeft: () => void;
  conversation: string;
  /** Nobody else is in it. */
  alone: boolean;
}

export function LeaveModal({ opened, onClose, onLeft, conversation, alone }: Props): React.JSX.Element {
  const { engine } = useSession();
  const [problem, setProblem] = useState<string>();

  const leave = async (): Promise<void> => {
    try {
      await engine.leave(conversation);
      onLeft();
    } catch (error) {
      setProblem(refusalText(codeOf(error) ?? 'unknown'));
    }
  };

  return (
    <Modal opened={opened} onClose={onClose} title="Leave this conversation?" centered closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text size="sm">
          You will not receive or send messages here any more, on any of your devices. What was said so far stays on
          this device to read.
        </Text>
        <Text size="sm">
          {alone
            ? 'You are the only member: nobody can invite you back.'
            : 'The others see that you left, as soon as one of them is online. Any of them can invite you again.'}
        </Text>
        {problem !== undefined && (
          <Text c="red" size="sm" role="alert">
            {problem}
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            Stay
          </Button>
          <Button color="red" onClick={() => void leave()} data-testid="leave-confirm">
            Leave
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
