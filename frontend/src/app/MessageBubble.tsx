import { Button, Group, Text } from '@mantine/core';
import { IconAlertCircle, IconCheck, IconClock, IconDeviceFloppy, IconHelpCircle, type Icon } from '@tabler/icons-react';
import { memo } from 'react';
import type { Conversation } from '../history/types.ts';
import type { MessageState } from '../sync/states.ts';
import styles from './conversation.module.css';
import { useSession } from './hooks.ts';
import { refusalText } from './texts.ts';
import { timeText } from './time.ts';

export interface ShownMessage {
  id: string;
  at: number;
  sender: string;
  own: boolean;
  text: string;
  /** `unsent`: the conversation ended before it was sent. `unknown`: it is out of a backup. There is nothing to try again. */
  state: MessageState | 'unsent' | 'unknown';
  failure?: string;
}

const states: Record<ShownMessage['state'], { label: string; icon: Icon }> = {
  saving: { label: 'Saving…', icon: IconDeviceFloppy },
  waiting: { label: 'Saved, waiting to be sent', icon: IconClock },
  sent: { label: 'Sent', icon: IconCheck },
  failed: { label: 'Not sent', icon: IconAlertCircle },
  unsent: { label: 'Never sent', icon: IconAlertCircle },
  unknown: { label: 'Perhaps not sent', icon: IconHelpCircle },
};

interface Props {
  message: ShownMessage;
  /** The first of several in a row by the same sender. */
  first: boolean;
  conversation: Conversation;
}

export const MessageBubble = memo(function MessageBubble({ message, first, conversation }: Props): React.JSX.Element {
  const { engine } = useSession();
  const { id, at, sender, own, text, state, failure } = message;
  const { label, icon: StateIcon } = states[state];
  return (
    <article
      className={styles.message}
      data-testid="message"
      data-message-id={id}
      data-own={own}
      data-state={own ? state : 'received'}
      data-first={first}
      aria-label={`${own ? 'You' : sender}, ${timeText(at)}`}
    >
      {first && !own && (
        <Text className={styles.sender ?? ''} size="xs" fw={600} c="dimmed" data-testid="message-sender">
          {sender}
        </Text>
      )}
      <div className={styles.bubble}>
        <span data-testid="message-text">{text}</span>
        <Text className={styles.meta ?? ''} size="xs" c="dimmed" component="span">
          <time dateTime={new Date(at).toISOString()}>{timeText(at)}</time>
          {own && (
            <span role="img" aria-label={label} title={label} data-testid="message-state" data-state={state}>
              <StateIcon size={14} aria-hidden style={{ display: 'block' }} color={state === 'failed' || state === 'unsent' ? 'var(--mantine-color-red-6)' : undefined} />
            </span>
          )}
        </Text>
      </div>
      {own && state === 'failed' && (
        <Group gap="xs" mt={2} justify="flex-end" role="alert">
          <Text size="xs" c="red">
            Not sent. {refusalText(failure ?? 'unknown')}
          </Text>
          {conversation.standing === 'member' && (
            <Button size="compact-xs" variant="light" color="red" onClick={() => void engine.retry(id, conversation.id)} data-testid="retry-button">
              Try again
            </Button>
          )}
        </Group>
      )}
      {state === 'unsent' && (
        <Text size="xs" c="dimmed" mt={2}>
          Not sent: you were no longer a member.
        </Text>
      )}
      {state === 'unknown' && (
        <Text size="xs" c="dimmed" mt={2}>
          It waited to be sent when the backup was made. Whether it was is not known here.
        </Text>
      )}
    </article>
  );
});
