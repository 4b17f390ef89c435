import MPI
import Sequences
import Training

extension SequenceDataset {
  /// Throws unless all ranks have opened the same dataset: hosts may have files of their own under one name. Collective.
  ///
  /// - Throws: `JobError` where a rank has another one than rank 0.
  func requireSame(on communicator: Communicator) throws {
    let expected = try communicator.broadcast(fingerprint)
    try communicator.agree {
      guard fingerprint == expected else {
        throw TrainingError(
          "\(path): not the dataset that rank 0 finds there: its fingerprint is \(fingerprint), expected \(expected); "
            + "give every host the same file")
      }
    }
  }
}
