// A plugin of typedoc. It gives each method of CoreCryptoClient, as its example, the part of docs/examples that shows it
// best; and it says of a property that tells the members of a union apart what its value is, where nobody else did.
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'
import { exampleProgram, partsByMember } from './examples.mjs'

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    addExamples(project)
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      if (property.name === 'kind' && property.type?.type === 'literal' && !property.comment) {
        property.comment = new Comment([{ kind: 'text', text: `Always \`${property.type.value}\`.` }])
      }
    }
  })
}

function addExamples(project) {
  const parts = partsByMember(exampleProgram())
  const client = project.getReflectionsByKind(ReflectionKind.Class).find(({ name }) => name === 'CoreCryptoClient')
  for (const member of client.children) {
    const [shown] = parts.get(member.name) ?? []
    if (!shown) continue
    const described = member.signatures?.[0] ?? member.getSignature ?? member
    described.comment ??= new Comment()
    const code = `\`\`\`ts\n${shown.code}\n\`\`\`\n\nFrom \`docs/examples/${shown.example}.ts\`.`
    described.comment.blockTags.push(new CommentTag('@example', [{ kind: 'text', text: code }]))
  }
}
