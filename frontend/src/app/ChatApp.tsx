import { Text, Title } from '@mantine/core';
import { IconMessages } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import styles from './chat.module.css';
import { ConversationList } from './ConversationList.tsx';
import { ConversationView } from './ConversationView.tsx';
import { useConversations, useSelected, useSession } from './hooks.ts';
import { NewGroupModal } from './NewGroupModal.tsx';
import { SettingsDrawer } from './SettingsDrawer.tsx';
import { Banners } from './Banners.tsx';

export function ChatApp(): React.JSX.Element {
  const { engine } = useSession();
  const conversations = useConversations();
  const [selected, select] = useSelected();
  const [creating, setCreating] = useState(false);
  const [settings, setSettings] = useState(false);
  const conversation = conversations?.find(({ id }) => id === selected);
  const shown = conversation?.id;

  useEffect(() => {
    void engine.show(shown);
  }, [engine, shown]);

  const unread = conversations?.reduce((sum, { unread: count }) => sum + count, 0) ?? 0;
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Chat` : 'Chat';
  }, [unread]);

  return (
    <div className={styles.shell} data-view={conversation === undefined ? 'list' : 'conversation'} data-testid="chat-app">
      <div className={styles.banners}>
        <Banners onSettings={() => setSettings(true)} />
      </div>
      <ConversationList
        conversations={conversations}
        selected={selected}
        onSelect={select}
        onNew={() => setCreating(true)}
        onSettings={() => setSettings(true)}
      />
      <main className={styles.main}>
        {conversation === undefined ? (
          <div className={styles.empty} data-testid="no-conversation">
            <IconMessages size={56} stroke={1.2} className={styles.emptyIcon} aria-hidden />
            <Title order={2} size="h4">
              {selected === undefined || conversations === undefined ? 'No conversation open' : 'This conversation is not on this device'}
            </Title>
            <Text c="dimmed">Choose one from the list, or start a new one.</Text>
          </div>
        ) : (
          <ConversationView key={conversation.id} conversation={conversation} onBack={() => select(undefined)} />
        )}
      </main>
      <NewGroupModal
        opened={creating}
        onClose={() => setCreating(false)}
        onCreated={(id) => {
          setCreating(false);
          select(id);
        }}
      />
      <SettingsDrawer opened={settings} onClose={() => setSettings(false)} />
    </div>
  );
}
