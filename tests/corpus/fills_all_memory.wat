;; H02: fills the whole of its memory over and over.
(component
  (core module $m
    (memory 768)
    (func (export "run")
      (loop $again
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 50331648))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
