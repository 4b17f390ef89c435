extension SettingTable {
  /// Every setting as YAML, with what it does and may be as comments.
  package func yaml(_ root: Root) -> String {
    var text = ""
    var section: [Substring] = []
    for setting in all {
      let parts = setting.key.split(separator: ".")
      let common = zip(section, parts.dropLast()).prefix { $0 == $1 }.count
      section = parts.dropLast()
      for depth in common..<section.count {
        text += String(repeating: "  ", count: depth) + section[depth] + ":\n"
      }
      let indent = String(repeating: "  ", count: section.count)
      let change = setting.mayChange ? "; may change on resume" : ""
      text += "\(indent)# \(setting.help) (\(setting.allowed)\(change))\n"
      text += "\(indent)\(parts[section.count]): \(setting.yaml(root))\n"
    }
    return text
  }
}
