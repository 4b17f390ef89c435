import MPI
import Testing
