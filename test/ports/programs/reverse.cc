// A port program: answers every packet, which has 4 bytes of length in front, with its bytes in reverse order. What it is
// asked by an empty packet is to end, with status 7.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <unistd.h>

static bool readAll(char* into, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = read(0, into + got, size - got);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

static void writeAll(const std::string& bytes) {
  for (size_t put = 0; put < bytes.size();) {
    const ssize_t n = write(1, bytes.data() + put, bytes.size() - put);
    if (n <= 0) exit(1);
    put += static_cast<size_t>(n);
  }
}

int main() {
  unsigned char header[4];
  while (readAll(reinterpret_cast<char*>(header), sizeof header)) {
    const size_t size = size_t{header[0]} << 24 | size_t{header[1]} << 16 | size_t{header[2]} << 8 | header[3];
    if (size == 0) return 7;
    std::string packet(size, '\0');
    if (!readAll(&packet[0], size)) return 1;
    writeAll(std::string(reinterpret_cast<char*>(header), sizeof header) + std::string(packet.rbegin(), packet.rend()));
  }
  return 0;
}
