# Sets CMAKE_CUDA_COMPILER if there is an nvcc: named in CUDACXX, on the PATH, or from the wheels nvidia-cuda-nvcc and their kin.
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_package(Python COMPONENTS Interpreter QUIET)
  execute_process(COMMAND "${Python_EXECUTABLE}" -c "import nvidia; print(*nvidia.__path__, sep=';')"
    OUTPUT_VARIABLE wheel_folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(TRANSFORM wheel_folders APPEND /cu13/bin)
  find_program(nvcc_of_wheels nvcc PATHS ${wheel_folders} NO_DEFAULT_PATH)
  find_program(nvcc_of_system nvcc)
  if(nvcc_of_wheels AND NOT nvcc_of_system)
    set(CMAKE_CUDA_COMPILER "${nvcc_of_wheels}")
  endif()
endif()
check_language(CUDA)
