import Sequences
import Testing
