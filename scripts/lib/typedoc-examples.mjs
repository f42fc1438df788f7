// A plugin of typedoc: gives each method of CoreCryptoClient, as its example, the part of docs/examples that shows it best.
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'
import { exampleProgram, partsByMember } from './examples.mjs'

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const parts = partsByMember(exampleProgram())
    const client = project.getReflectionsByKind(ReflectionKind.Class).find(({ name }) => name === 'CoreCryptoClient')
    for (const member of client.children) {
      const [shown] = parts.get(member.name) ?? []
      const described = member.signatures?.[0] ?? member.getSignature ?? member
      if (!shown) continue
      described.comment ??= new Comment()
      const code = `\`\`\`ts\n${shown.code}\n\`\`\`\n\nFrom \`docs/examples/${shown.example}.ts\`.`
      described.comment.blockTags.push(new CommentTag('@example', [{ kind: 'text', text: code }]))
    }
  })
}
