#include "csrc/cuda/stream.h"

#include "csrc/cuda/allocator.h"
#include "csrc/cuda/runtime.h"

namespace pyengine::cuda {
namespace {

thread_local cudaStream_t current = nullptr;

int current_device() {
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}

/// True for success, false for work that is not done yet.
bool done(cudaError_t status, const char* call) {
    if (status == cudaErrorNotReady) return false;
    check(status, call);
    return true;
}

}  // namespace

cudaStream_t current_stream() { return current; }
void set_current_stream(cudaStream_t stream) { current = stream; }

Stream::Stream(int device) : device_(device) {
    const DeviceGuard guard(device);
    check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

Stream::~Stream() {
    if (owned_) cudaStreamDestroy(handle_);
}

void Stream::synchronize() const { check(cudaStreamSynchronize(handle_), "cudaStreamSynchronize"); }
bool Stream::query() const { return done(cudaStreamQuery(handle_), "cudaStreamQuery"); }
void Stream::wait(const Event& event) const { check(cudaStreamWaitEvent(handle_, event.handle(), 0), "cudaStreamWaitEvent"); }

Event::Event(bool timing) {
    check(cudaEventCreateWithFlags(&handle_, timing ? cudaEventDefault : cudaEventDisableTiming), "cudaEventCreateWithFlags");
}

Event::~Event() { cudaEventDestroy(handle_); }

void Event::record(cudaStream_t stream) { check(cudaEventRecord(handle_, stream), "cudaEventRecord"); }
void Event::synchronize() const { check(cudaEventSynchronize(handle_), "cudaEventSynchronize"); }
bool Event::query() const { return done(cudaEventQuery(handle_), "cudaEventQuery"); }

double Event::elapsed_since(const Event& start) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.handle_, handle_), "cudaEventElapsedTime");
    return milliseconds;
}

Graph::Graph() : pool_(new_pool()) {}

Graph::~Graph() {
    if (executable_) cudaGraphExecDestroy(executable_);
    release_pool(pool_);
}

void Graph::begin_capture() {
    if (stream_ || executable_) fail_value("graph: captured already; make another graph");
    const int device = current_device();
    synchronize(device);
    stream_ = std::make_unique<Stream>(device);
    before_ = current;
    check(cudaStreamBeginCapture(stream_->handle(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    current = stream_->handle();
    use_pool(pool_);
}

void Graph::end_capture() {
    if (!stream_) fail_value("graph: nothing is being captured; call begin_capture first");
    current = before_;
    use_pool(0);
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream_->handle(), &graph);
    stream_.reset();
    check(status, "cudaStreamEndCapture");
    const cudaError_t made = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(made, "cudaGraphInstantiate");
}

void Graph::replay() const {
    if (!executable_) fail_value("graph: nothing was captured; use it in 'with pe.cuda.graph(g)' first");
    check(cudaGraphLaunch(executable_, current), "cudaGraphLaunch");
}

bool capturing() {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (current) check(cudaStreamIsCapturing(current, &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
}

}  // namespace pyengine::cuda
