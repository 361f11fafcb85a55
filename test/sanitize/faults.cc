/** Does as soon as it is loaded what nobody may: whoever runs this under the sanitizers has to hear of both. */
#include <climits>
#include <cstdlib>

namespace {

volatile int largest = INT_MAX;

__attribute__((constructor)) void fail() {
  largest = largest + 1;
  volatile char *bytes = static_cast<char *>(std::malloc(8));
  bytes[8] = 1;
  std::free(const_cast<char *>(bytes));
}

}  // namespace
