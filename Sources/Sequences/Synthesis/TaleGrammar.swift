extension Grammar {
  /// Short tales of a woman and a man: the text that the program trains on where none is given.
  ///
  /// What a model has to learn: the words; the verb's number, across whatever stands between subject and verb; brackets
  /// and quotation marks, nested; and two names, chosen in a tale's first line and kept to its last.
  ///
  /// The entropy floor is exact. The probability of a text is the sum of the probabilities of its derivations, and each
  /// text has only one, since each choice can be read off it:
  /// - The words of a rule differ, none continues another by the endings there are, and the classes of
  ///   words among which a choice lies have none in common. Number shows in endings and determiners.
  /// - What is chosen to be absent (adverb, adjective, modifier, remark) shows in the word that stands in its place.
  /// - A phrase behind a preposition has no modifiers of its own, and neither has the object in a relative clause, so
  ///   prepositions and "that" have one noun that they can belong to. A clause behind "thinks that" has no remark of
  ///   its own.
  /// - Quotations and remarks are closed, so it is known where their clauses end.
  ///
  /// Every tale begins with the same character, for which no choice is made, and its last line says that it ends: so
  /// the choices are made in its targets, and the mean of their negated log-probabilities over its targets is the
  /// lowest loss that any model can expect.
  package static let tales = Grammar(
    """
    tale = 'The tale of ' @woman ' and ' @man '.' newline sentences
    @woman = 'Anna' | 'Clara' | 'Lucy' | 'Rosa'
    @man = 'Ben' | 'Hugo' | 'Max' | 'Tom'
    sentences = 9 sentence sentences | 1 'So ends the tale of ' @woman ' and ' @man '.' newline
    sentence = opener ' ' speech '.' newline
    opener = 'Now' | 'Then' | 'At dawn' | 'At noon' | 'At night' | 'Here' | 'Later'
    speech = 9 clause | 1 clause ' (' clause ')'
    clause = 4 subject.w predicate.w | 4 subject.m predicate.m | 3 np.s predicate.s | 4 subject.p predicate.p
    subject.w = 4 @woman | 1 'she'
    subject.m = 4 @man | 1 'he'
    subject.p = 3 np.p | 1 @woman ' and ' @man
    predicate.x = 9 ' ' adverb action.x | 1 ' ' say ending.x ': "' speech '"' | 1 ' ' think ending.x ' that ' clause
    adverb = 3 '' | 1 manner ' '
    action.x = 1 vi ending.x | 2 vt ending.x ' ' object.x
    object.w = 2 @man | 4 object | 1 'her ' thing
    object.m = 2 @woman | 4 object | 1 'his ' thing
    object.s = 1 @woman | 1 @man | 4 object | 1 'its ' thing
    object.p = 4 object | 1 'their ' thing
    object = np.s | np.p
    thing = noun | noun 's'
    np.n = plain.n modifier.n
    plain.n = determiner.n ' ' adjective noun plural.n
    plain = plain.s | plain.p
    modifier.n = 8 '' | 1 ' ' preposition ' ' plain | 1 ' that ' relative.n
    relative.n = 2 vi ending.n | 2 vt ending.n ' ' plain | 4 agent
    agent = np.s ' ' vt ending.s | np.p ' ' vt ending.p | @woman ' ' vt ending.w | @man ' ' vt ending.m
    ending.w = 's'
    ending.m = 's'
    ending.s = 's'
    ending.p = ''
    plural.s = ''
    plural.p = 's'
    determiner.s = 'the' | 'a' | 'this' | 'one' | 'no'
    determiner.p = 'the' | 'two' | 'these' | 'some' | 'ten'
    adjective = '' | quality ' '
    quality = 'big' | 'red' | 'sad' | 'wild' | 'young' | 'small' | 'dark' | 'kind' | 'tall' | 'proud' | 'green' | 'lame' \
    | 'shy' | 'fat' | 'mad' | 'wise'
    noun = 'dog' | 'cat' | 'cow' | 'pig' | 'hen' | 'rat' | 'bat' | 'bee' | 'king' | 'duke' | 'monk' | 'nun' | 'girl' \
    | 'boy' | 'lord' | 'maid' | 'cook' | 'bird' | 'goat' | 'bear' | 'frog' | 'mule' | 'lamb' | 'crab' | 'toad' | 'duck' \
    | 'swan' | 'crow' | 'hawk' | 'seal' | 'clerk' | 'guard'
    preposition = 'near' | 'behind' | 'under' | 'with' | 'beside' | 'without'
    manner = 'slowly' | 'gladly' | 'often' | 'never' | 'always' | 'badly' | 'kindly' | 'sadly'
    vi = 'sleep' | 'sing' | 'wait' | 'run' | 'fall' | 'swim' | 'work' | 'rest' | 'hide' | 'dance' | 'laugh' | 'smile' \
    | 'snore' | 'jump' | 'weep' | 'nod'
    vt = 'see' | 'love' | 'fear' | 'help' | 'know' | 'feed' | 'call' | 'hate' | 'meet' | 'hear' | 'trust' | 'want' \
    | 'find' | 'greet' | 'chase' | 'seek' | 'lead' | 'need' | 'kick' | 'hold' | 'like' | 'draw' | 'paint' | 'follow'
    say = 'say' | 'shout' | 'write' | 'answer'
    think = 'think' | 'hope' | 'believe' | 'dream'
    """)
}
