import Chunks
import Core
import Random
import Sequences

/// A beginning of a target.
private struct Hypothesis {
  var tokens: [Int32] = []
  var logProbability = 0.0
  /// The place of what it goes on from, among the hypotheses a step before.
  var parent = 0
  /// What each of its tokens attended to, where that is kept.
  var attention: [[Float]] = []
}

/// The search for what is said of one source: its hypotheses, each in a lane.
struct TargetSearch {
  /// Whether nothing is left to follow.
  private(set) var isDone = false

  private var alive = [Hypothesis()]
  private var complete: [Translation] = []
  private let options: DecodingOptions
  private let ends: Vocabulary.Ends
  private var random: RandomStream

  /// A way in which a hypothesis may go on.
  private struct Candidate {
    let parent: Int
    let token: Int32
    let logProbability: Double

    /// Of equally probable ones, the first hypothesis' lowest token is better.
    func isBetter(than other: Candidate) -> Bool {
      logProbability != other.logProbability
        ? logProbability > other.logProbability : (parent, token) < (other.parent, other.token)
    }
  }

  /// The search for source `number`, the key of its draws.
  init(_ options: DecodingOptions, _ ends: Vocabulary.Ends, number: Int) {
    self.options = options
    self.ends = ends
    random = RandomStream(
      RandomKey(seed: options.seed, purpose: .generation), at: (UInt32(truncatingIfNeeded: number), 1, 0))
  }

  /// What each lane reads next, and the lane whose states it takes over.
  var lanes: [(token: Int32, parent: Int)] {
    isDone ? [] : alive.map { ($0.tokens.last ?? ends.begin, $0.parent) }
  }

  /// The best that were found; where none ended, the best beginnings.
  var translations: [Translation] {
    let beginnings = alive.map { hypothesis in
      Translation(
        tokens: hypothesis.tokens,
        score: options.score(hypothesis.logProbability, count: hypothesis.tokens.count), isComplete: false,
        attention: hypothesis.attention)
    }
    return complete.isEmpty ? best(of: beginnings) : complete
  }

  /// Goes on from the logits of what may follow each hypothesis, lane by lane. Of all candidates in the order of their
  /// probabilities, those among the first `beam` that end are complete; the first `beam` that don't are followed, unless none
  /// of them can become better than what is complete.
  ///
  /// - Parameter attention: What a lane has attended to.
  mutating func extend(
    _ logits: Matrix, _ scores: TokenScores, firstLane: Int, attention: (_ lane: Int) -> [Float]
  ) {
    let isLast = alive[0].tokens.count == options.longest
    let attention = options.keepsAttention ? alive.indices.map { attention(firstLane + $0) } : []
    var next: [Hypothesis] = []
    for (rank, candidate) in candidates(logits, scores, firstLane: firstLane).enumerated()
    where rank < options.beam || next.count < options.beam {
      var hypothesis = alive[candidate.parent]
      (hypothesis.logProbability, hypothesis.parent) = (candidate.logProbability, candidate.parent)
      if options.keepsAttention { hypothesis.attention.append(attention[candidate.parent]) }
      if candidate.token != ends.end {
        hypothesis.tokens.append(candidate.token)
        if next.count < options.beam { next.append(hypothesis) }
      } else if rank < options.beam {
        complete.append(
          Translation(
            tokens: hypothesis.tokens,
            score: options.score(hypothesis.logProbability, count: hypothesis.tokens.count + 1),
            isComplete: true, attention: hypothesis.attention))
      }
    }
    complete = best(of: complete)
    isDone = isLast || next.isEmpty || !mayImprove(next[0])
    if !isDone { alive = next }
  }

  /// Whether a hypothesis may become better than those that are wanted of the complete ones.
  private func mayImprove(_ hypothesis: Hypothesis) -> Bool {
    // Logarithms of probabilities only fall, and the longest targets are divided by most.
    complete.count < options.best
      || options.score(hypothesis.logProbability, count: options.longest + 1)
        > complete[options.best - 1].score
  }

  /// The best of translations, in order.
  private func best(of found: [Translation]) -> [Translation] {
    let order = found.indices.sorted { (found[$1].score, $0) < (found[$0].score, $1) }
    return order.prefix(options.best).map { found[$0] }
  }

  private mutating func candidates(_ logits: Matrix, _ scores: TokenScores, firstLane: Int) -> [Candidate] {
    var found: [Candidate] = []
    for (place, hypothesis) in alive.enumerated() {
      let lane = firstLane + place
      let row = UnsafeBufferPointer(start: logits[lane], count: logits.columns)
      let tokens =
        if let sampler = options.sampler {
          [Int32(sampler.draw(row, &random))]
        } else if options.beam == 1 {
          [scores.largest.base[lane]]
        } else {
          // One of them may end.
          Self.largest(row, count: options.beam + 1)
        }
      for token in tokens {
        found.append(
          Candidate(
            parent: place, token: token,
            logProbability: hypothesis.logProbability + Double(row[Int(token)])
              - scores.normalizers.base[lane]))
      }
    }
    return found.sorted { $0.isBetter(than: $1) }
  }

  /// The tokens of the largest logits, in descending order; of equal ones the lower token first.
  private static func largest(_ logits: UnsafeBufferPointer<Float>, count: Int) -> [Int32] {
    var best: [Int32] = []
    for (token, logit) in logits.enumerated()
    where best.count < count || logit > logits[Int(best[best.count - 1])] {
      if best.count == count { best.removeLast() }
      let place = best.firstIndex { logit > logits[Int($0)] } ?? best.count
      best.insert(Int32(token), at: place)
    }
    return best
  }
}
