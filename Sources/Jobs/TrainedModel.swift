import Chunks
import Core
import FileSystem
import MPI
import Sequences
import Training

/// A model from a checkpoint: all that evaluation and generation need, without the run or its data.
package struct TrainedModel {
  /// The checkpoint's file.
  package let path: String
  /// The configuration of the run.
  package let configuration: Configuration
  /// The data it was trained on.
  package let description: DataDescription
  /// How its training streams were laid over lanes.
  package let mode: ScheduleMode
  /// How far training had come.
  package let progress: TrainingProgress
  /// The weights.
  package let memory: ParameterMemory
  /// What is wrong with newer checkpoints of the run.
  package let damaged: [String]
  /// Finds the dataset it was trained on.
  let data: DatasetSearch

  /// Reads a checkpoint, verified against its manifest.
  ///
  /// - Parameters:
  ///   - path: A checkpoint's file, or the directory of a run.
  ///   - best: For a run, whether to take the checkpoint with the lowest validation loss instead of the newest sound
  ///     one.
  /// - Throws: `TrainingError`, `HDF5Error`, `FileError`, `DataError` or `ConfigurationError` if there is none that can
  ///   be read.
  package init(_ path: String, best: Bool) throws {
    let file: CheckpointFile
    (file, damaged) = try CheckpointStore.find(path, best: best)
    let header = file.header
    self.path = file.path
    configuration = try file.configuration()
    data = DatasetSearch(file, name: configuration.data.path)
    description = header.data
    mode = header.mode
    progress = header.progress
    try configuration.model.check(description.tracks)
    let layout = Blueprint(configuration.model, tracks: description.tracks).layout
    try file.requireArrays(of: layout, in: CheckpointGroup.parameters.rawValue)
    try AvailableMemory.require(
      layout.count * MemoryLayout<Float>.stride, for: "\(file.path): its weights",
      remedy: "make room, or use another machine")
    memory = ParameterMemory(layout: layout, shards: 0)
    let weights = UnsafeMutableBufferPointer(start: memory.weights, count: layout.count)
    for parameter in layout.parameters {
      try file.read(
        "parameters/\(parameter.name)", shape: parameter.shape,
        into: UnsafeMutableBufferPointer(rebasing: weights[parameter.range]))
    }
    // Training writes none that is not finite, but other programs may.
    if let (parameter, element) = memory.firstNonFiniteWeight {
      throw TrainingError(
        "\(self.path): /parameters/\(parameter.name): number \(element) is \(memory.weights[parameter.offset + element]), "
          + "expected finite numbers; take another checkpoint")
    }
  }
}

extension Communicator {
  /// The weights of the model that rank 0 has read, on all ranks. Collective.
  func broadcastWeights(
    of trained: TrainedModel?, _ model: ModelConfiguration, _ tracks: TrackSet
  ) throws -> ParameterMemory {
    let memory =
      trained?.memory ?? ParameterMemory(layout: Blueprint(model, tracks: tracks).layout, shards: 0)
    try broadcast(UnsafeMutableBufferPointer(start: memory.weights, count: memory.layout.count))
    return memory
  }
}
