import { ActionIcon, Avatar, Badge, Button, Loader, Text, Title, Tooltip, UnstyledButton } from '@mantine/core';
import { IconLock, IconMessagePlus, IconPlus, IconSettings } from '@tabler/icons-react';
import type { Conversation } from '../history/types.ts';
import styles from './chat.module.css';
import { ConnectionBadge } from './ConnectionBadge.tsx';
import { useSession } from './hooks.ts';
import { titleOf } from './naming.ts';
import { briefText } from './time.ts';

interface Props {
  conversations: Conversation[] | undefined;
  selected: string | undefined;
  onSelect: (id: string) => void;
  onNew: () => void;
  onSettings: () => void;
  /** Undefined: there is no secret to lock with. */
  onLock: (() => void) | undefined;
}

export function ConversationList({ conversations, selected, onSelect, onNew, onSettings, onLock }: Props): React.JSX.Element {
  const { own } = useSession();
  return (
    <nav className={styles.side} aria-label="Conversations">
      <header className={styles.bar}>
        <Avatar name={own.user} color="pine" variant="filled" aria-hidden />
        <div className={styles.barText}>
          <Title order={1} size="h5" lineClamp={1} title={own.user} data-testid="own-name">
            {own.user}
          </Title>
          <ConnectionBadge />
        </div>
        <Tooltip label="New group">
          <ActionIcon variant="light" size="lg" onClick={onNew} aria-label="New group" data-testid="new-group-button">
            <IconPlus size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
        {onLock !== undefined && (
          <Tooltip label="Lock">
            <ActionIcon variant="subtle" color="gray" size="lg" onClick={onLock} aria-label="Lock" data-testid="lock-button">
              <IconLock size={20} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
        <Tooltip label="Settings">
          <ActionIcon variant="subtle" color="gray" size="lg" onClick={onSettings} aria-label="Settings" data-testid="settings-button">
            <IconSettings size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </header>
      {conversations === undefined ? (
        <div className={styles.empty}>
          <Loader size="sm" aria-label="Loading" />
        </div>
      ) : conversations.length === 0 ? (
        <div className={styles.empty} data-testid="no-conversations">
          <IconMessagePlus size={48} stroke={1.2} className={styles.emptyIcon} aria-hidden />
          <Text fw={600}>No conversations yet</Text>
          <Text size="sm" c="dimmed">
            Start a group and invite people by their name, or wait for somebody to invite you.
          </Text>
          <Button onClick={onNew} mt="xs">
            New group
          </Button>
        </div>
      ) : (
        <ul className={styles.list} data-testid="conversation-list">
          {conversations.map((conversation) => (
            <li key={conversation.id}>
              <Item
                conversation={conversation}
                title={titleOf(conversation, own.user)}
                selected={conversation.id === selected}
                onSelect={onSelect}
              />
            </li>
          ))}
        </ul>
      )}
    </nav>
  );
}

interface ItemProps {
  conversation: Conversation;
  title: string;
  selected: boolean;
  onSelect: (id: string) => void;
}

function Item({ conversation, title, selected, onSelect }: ItemProps): React.JSX.Element {
  const { id, unread, changedAt } = conversation;
  return (
    <UnstyledButton
      className={styles.item ?? ''}
      data-selected={selected}
      aria-current={selected ? 'true' : undefined}
      onClick={() => onSelect(id)}
      data-testid="conversation-item"
      data-conversation-id={id}
    >
      <Avatar name={title} color="initials" size={42} aria-hidden />
      <div className={styles.grow}>
        <div className={styles.itemRow}>
          <Text fw={unread > 0 ? 700 : 500} truncate className={styles.grow ?? ''}>
            {title}
          </Text>
          <Text size="xs" c="dimmed" component="time" dateTime={new Date(changedAt).toISOString()}>
            {briefText(changedAt)}
          </Text>
        </div>
        <div className={styles.itemRow}>
          <Text size="sm" c="dimmed" truncate className={styles.grow ?? ''} data-testid="conversation-preview">
            {previewText(conversation)}
          </Text>
          {unread > 0 && (
            <Badge size="sm" circle={unread < 10} aria-label={`${unread} unread`} data-testid="unread-badge">
              {unread > 99 ? '99+' : unread}
            </Badge>
          )}
        </div>
      </div>
    </UnstyledButton>
  );
}

function previewText({ preview, standing }: Conversation): string {
  if (standing === 'left') return 'You left';
  if (standing === 'removed') return 'You were removed';
  if (standing === 'damaged') return 'Not readable any more on this device';
  if (preview === undefined) return 'No messages yet';
  return `${preview.own ? 'You' : preview.sender}: ${preview.text}`;
}
