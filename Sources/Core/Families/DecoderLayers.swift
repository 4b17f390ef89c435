import Settings
import Yams

/// The kinds of a decoder's layers.
package enum DecoderLayers: Sendable, Equatable {
  /// Those of the encoder.
  case same
  /// These.
  case named(LayerNames)
}

extension DecoderLayers: SettingValue {
  package static var isList: Bool { true }
  package static var expectation: String { "same, \(LayerNames.expectation)" }

  package init?(setting node: Node) {
    if node.scalar?.string == "same" {
      self = .same
    } else if let names = LayerNames(setting: node) {
      self = .named(names)
    } else {
      return nil
    }
  }

  package var yaml: String {
    switch self {
    case .same: "same"
    case .named(let names): names.yaml
    }
  }
}
