import { useCallback, useEffect, useState } from 'react';
import type { CoreCryptoClient } from 'openmls-wasm';
import { isRefused } from '../delivery/errors.ts';
import { codeOf } from '../sync/context.ts';
import { ChatApp } from './ChatApp.tsx';
import { ErrorPage } from './ErrorPage.tsx';
import { SessionContext } from './hooks.ts';
import { LoadingPage } from './LoadingPage.tsx';
import { NameRefusedPage } from './NameRefusedPage.tsx';
import { loadProfile, type Profile } from './profile.ts';
import { abandonCandidate, openClient, register, startSession, type Candidate, type Session } from './session.ts';
import { StartPage } from './StartPage.tsx';

type Stage =
  | { at: 'loading' }
  | { at: 'choose-name'; profile: Profile; client: CoreCryptoClient }
  | { at: 'name-refused'; candidate: Candidate; code: string }
  | { at: 'unregistered'; candidate: Candidate }
  | { at: 'chat'; session: Session }
  | { at: 'error'; code: string };

/** React runs effects twice in development; the database must be opened once. */
let opening: Promise<Stage> | undefined;

async function open(): Promise<Stage> {
  try {
    const profile = await loadProfile();
    const { client, candidate } = await openClient(profile);
    return candidate === undefined ? { at: 'choose-name', profile, client } : await enter(candidate);
  } catch (error) {
    return { at: 'error', code: codeOf(error) ?? (error as Error).name };
  }
}

/** On from an identity: registered the first time, and then into the chat, online or not. */
async function enter(candidate: Candidate): Promise<Stage> {
  try {
    await register(candidate);
  } catch (error) {
    if (isRefused(error)) return { at: 'name-refused', candidate, code: error.code };
    return { at: 'unregistered', candidate };
  }
  return { at: 'chat', session: await startSession(candidate) };
}

/** The stage after an attempt to enter, which may have been overtaken or have failed while waiting to be linked. */
function follow(current: Stage, next: Stage, candidate: Candidate): Stage {
  if (current.at === 'choose-name') return next;
  if (!('candidate' in current) || current.candidate !== candidate) return current;
  return current.at === 'name-refused' && next.at === 'unregistered' ? current : next;
}

export function App(): React.JSX.Element {
  const [stage, setStage] = useState<Stage>({ at: 'loading' });

  useEffect(() => {
    opening ??= open();
    void opening.then(setStage);
  }, []);

  const go = useCallback((candidate: Candidate) => {
    return enter(candidate)
      .catch((error: unknown): Stage => ({ at: 'error', code: codeOf(error) ?? 'unknown' }))
      .then((next) => setStage((current) => follow(current, next, candidate)));
  }, []);

  const startOver = useCallback((candidate: Candidate) => {
    setStage({ at: 'loading' });
    void abandonCandidate(candidate)
      .then(open)
      .then(setStage);
  }, []);

  const session = stage.at === 'chat' ? stage.session : undefined;
  useEffect(() => {
    if (session === undefined) return undefined;
    return session.client.on('writer-lost', () => {
      session.engine.stop();
      setStage({ at: 'error', code: 'writer-lost' });
    });
  }, [session]);

  switch (stage.at) {
    case 'loading':
      return <LoadingPage />;
    case 'choose-name':
      return <StartPage profile={stage.profile} client={stage.client} onCreated={go} />;
    case 'name-refused':
      return <NameRefusedPage candidate={stage.candidate} code={stage.code} onRetry={go} onOtherName={startOver} />;
    case 'unregistered':
      return <ErrorPage code="network" onAgain={() => go(stage.candidate)} />;
    case 'chat':
      return (
        <SessionContext value={stage.session}>
          <ChatApp />
        </SessionContext>
      );
    case 'error':
      // A fresh page, for what failed may be half open in this one.
      return <ErrorPage code={stage.code} onAgain={() => location.reload()} />;
  }
}
